"""The applicability domain: whether a molecule resembles a model's training molecules.

Three criteria: the number of atoms, the number of atoms of each element, and the distance of the
molecule's features from those of the training molecules. Features are the inputs of the readout,
averaged over atoms. Their distance is Mahalanobis' (1936), as in Lee et al., "A Simple Unified
Framework for Detecting Out-of-Distribution Samples" (NeurIPS 2018, equation 2) with one class.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes
from torch import Tensor

from ..atomic import atomic_write
from ..datasets.molecules import Molecules
from ..datasets.ragged import take

FILE = "domain.safetensors"
FEWEST = 99  # distances; a new one exceeds the largest of so many in 1 % of cases
# the nonmetals that form bonds, whose lengths the covalent radii give
BONDED = {1, 5, 6, 7, 8, 9, 14, 15, 16, 17, 34, 35, 53}
SCALE = 0.6, 1.5  # of a bond's length; nearest atoms are 0.8 to 1.3 apart in molecules
RIDGE = 1e-4  # times the mean variance, so that constant features have a finite distance


def wrong_scale(z: Int64[np.ndarray, " n"], pos: Float[np.ndarray, "n 3"]) -> str | None:
    """Why the coordinates of a molecule cannot be in angstrom, or None.

    Each atom's distance to its nearest atom is compared with the sum of their covalent radii
    (Cordero et al., Dalton Trans. 2008). In nm the median of these ratios is 0.1, in bohr 1.9.
    Molecules with metals or noble gases are not judged.
    """
    from ase.data import covalent_radii

    if len(z) < 2 or not BONDED.issuperset(z.tolist()):
        return None
    away = np.linalg.norm(pos[:, None] - pos[None], axis=-1)
    np.fill_diagonal(away, np.inf)
    nearest, radii = away.argmin(1), covalent_radii[z]
    ratio = float(np.median(away.min(1) / (radii + radii[nearest])))
    if SCALE[0] <= ratio <= SCALE[1]:
        return None
    return f"its atoms are {ratio:.2g} bond lengths apart: give coordinates in angstrom"


@dataclass(frozen=True)
class Composition:
    """Sizes and elements of the training molecules.

    atoms  fewest and most atoms of a molecule
    heavy  most atoms other than hydrogen
    most   for each atomic number, its largest count in a molecule
    """

    atoms: tuple[int, int]
    heavy: int
    most: Mapping[int, int]

    @classmethod
    def of(cls, molecules: Molecules, train: Int64[np.ndarray, " m"]) -> Composition:
        """The composition of the molecules `train`."""
        flat, ptr = take(molecules.ptr, train)
        z, start, sizes = molecules.z[flat], ptr[:-1], np.diff(ptr)
        most = {int(k): int(np.add.reduceat(z == k, start, dtype=int).max()) for k in np.unique(z)}
        heavy = int(np.add.reduceat(z > 1, start, dtype=int).max())
        return cls((int(sizes.min()), int(sizes.max())), heavy, most)

    @classmethod
    def from_json(cls, atoms: tuple[int, int], content: dict[str, Any]) -> Composition:
        """Read what `to_json` returned."""
        most = {int(k): int(v) for k, v in content["most"].items()}
        return cls(atoms, int(content["heavy"]), most)

    @property
    def elements(self) -> list[int]:
        """The atomic numbers that occur, sorted."""
        return sorted(self.most)

    def to_json(self) -> dict[str, Any]:
        """As JSON, without `atoms`, which is in model.json."""
        return {"heavy": self.heavy, "most": {str(k): v for k, v in self.most.items()}}

    def sized(self, z: Int64[np.ndarray, " n"]) -> str | None:
        """Why this number of atoms is outside the domain, or None."""
        few, many = self.atoms
        if few <= len(z) <= many:
            return None
        return f"{len(z)} atoms, where training molecules had {few} to {many}"

    def outside(self, z: Int64[np.ndarray, " n"]) -> str | None:
        """Why a molecule with these atomic numbers is outside the domain, or None.

        Elements that the model was not trained on are rejected earlier, see `acceptance`.
        """
        if why := self.sized(z):
            return why
        if (heavy := int((z > 1).sum())) > self.heavy:
            return f"{heavy} atoms other than H, where training molecules had at most {self.heavy}"
        for k, count in sorted(Counter(z.tolist()).items()):
            if count > self.most.get(k, 0):
                from ase.data import chemical_symbols

                symbol, most = chemical_symbols[k], self.most.get(k, 0)
                return f"{count} {symbol}, where training molecules had at most {most}"
        return None


@dataclass(frozen=True, eq=False)
class FeatureSpace:
    """Mean and whitening matrix of the training molecules' features."""

    mean: Float[Tensor, " d"]
    whiten: Float[Tensor, "d d"]

    @classmethod
    def fit(cls, features: Float[Tensor, "m d"]) -> FeatureSpace:
        """Fit to the features of at least two training molecules."""
        x = features.double()
        covariance = x.T.cov()
        d = len(covariance)
        ridge = RIDGE * covariance.trace() / d + 1e-12
        factor = torch.linalg.cholesky(covariance + ridge * torch.eye(d).double())
        eye = torch.eye(d, dtype=torch.float64)
        whiten = torch.linalg.solve_triangular(factor, eye, upper=False)
        return cls(x.mean(0).float(), whiten.float().contiguous())

    def white(self, features: Float[Tensor, "b d"]) -> Float[Tensor, "b d"]:
        """Whiten features; those of training molecules have mean 0 and covariance 1."""
        return (features - self.mean) @ self.whiten.T

    def distance(self, features: Float[Tensor, "b d"]) -> Float[Tensor, " b"]:
        """Mahalanobis distance divided by sqrt(d): about 1 for a training molecule."""
        return self.white(features).square().mean(-1).sqrt()

    def save(self, folder: Path) -> str:
        """Write the space into a model's folder, atomically; returns the file's SHA-256."""
        content = to_bytes({"mean": self.mean, "whiten": self.whiten})
        with atomic_write(folder / FILE) as temporary:
            temporary.write_bytes(content)
        return hashlib.sha256(content).hexdigest()

    @classmethod
    def load(cls, folder: Path, sha256: str | None) -> FeatureSpace | None:
        """Read the space from a model's folder; None if it is missing or has another digest."""
        path = folder / FILE
        try:
            if sha256 is None or hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
                return None
            tensors = load_file(path)
            return cls(tensors["mean"], tensors["whiten"])
        except (OSError, KeyError, SafetensorError):
            return None


def limits(
    heavy: Int64[np.ndarray, " m"], distance: Float64[np.ndarray, " m"]
) -> list[float] | None:
    """For 1, 2, ... heavy atoms, the largest distance among molecules with at least as many.

    Small molecules are far from the others without being unusual; large ones are not. If fewer than
    99 molecules are as large, the 99 largest are used. None if fewer than 99 distances are known.
    """
    known = ~np.isnan(distance)
    heavy, distance = heavy[known], distance[known]
    if len(heavy) < FEWEST:
        return None
    order = np.argsort(-heavy, kind="stable")
    farthest = np.maximum.accumulate(distance[order])
    sizes = np.arange(1, max(int(heavy.max()), 1) + 1)
    pooled = [max(FEWEST, int((heavy >= n).sum())) for n in sizes]
    return [float(farthest[n - 1]) for n in pooled]
