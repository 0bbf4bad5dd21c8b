"""Whether a molecule is of the kind that a model has learned from, and if not, why.

Three looks at it: how many atoms it has, how many of each element, and how far its features lie
from the training molecules'. Features are what the readout sees, averaged over atoms; their
distance is Mahalanobis' (1936), as in Lee et al., "A Simple Unified Framework for Detecting
Out-of-Distribution Samples" (NeurIPS 2018, equation 2) with a single class.
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
FEWEST = 99  # distances among which the largest is a limit: a new one is beyond it in 1 % of cases
RIDGE = 1e-4  # of the mean variance: directions in which nothing varied are not infinitely far


@dataclass(frozen=True)
class Composition:
    """What the training molecules were made of: fewest and most atoms, and the most of each.

    `heavy` counts atoms other than hydrogen; `most` has an atomic number's largest count in one
    molecule.
    """

    atoms: tuple[int, int]
    heavy: int
    most: Mapping[int, int]

    @classmethod
    def of(cls, molecules: Molecules, train: Int64[np.ndarray, " m"]) -> Composition:
        """Of the molecules `train`."""
        flat, ptr = take(molecules.ptr, train)
        z, start, sizes = molecules.z[flat], ptr[:-1], np.diff(ptr)
        most = {int(k): int(np.add.reduceat(z == k, start, dtype=int).max()) for k in np.unique(z)}
        heavy = int(np.add.reduceat(z > 1, start, dtype=int).max())
        return cls((int(sizes.min()), int(sizes.max())), heavy, most)

    @classmethod
    def from_json(cls, atoms: tuple[int, int], content: dict[str, Any]) -> Composition:
        """From what `to_json` gave."""
        most = {int(k): int(v) for k, v in content["most"].items()}
        return cls(atoms, int(content["heavy"]), most)

    @property
    def elements(self) -> list[int]:
        """The atomic numbers that occur, in their order."""
        return sorted(self.most)

    def to_json(self) -> dict[str, Any]:
        """Without `atoms`, which model.json has."""
        return {"heavy": self.heavy, "most": {str(k): v for k, v in self.most.items()}}

    def sized(self, z: Int64[np.ndarray, " n"]) -> str | None:
        """`outside` by the number of atoms alone."""
        few, many = self.atoms
        if few <= len(z) <= many:
            return None
        return f"{len(z)} atoms, where training molecules had {few} to {many}"

    def outside(self, z: Int64[np.ndarray, " n"]) -> str | None:
        """Why these atoms are not of the kind, or None; elements are looked at elsewhere."""
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
    """Where the training molecules' features lie: their mean, and what whitens them."""

    mean: Float[Tensor, " d"]
    whiten: Float[Tensor, "d d"]

    @classmethod
    def fit(cls, features: Float[Tensor, "m d"]) -> FeatureSpace:
        """To the features of training molecules, at least two."""
        x = features.double()
        covariance = x.T.cov()
        d = len(covariance)
        ridge = RIDGE * covariance.trace() / d + 1e-12
        factor = torch.linalg.cholesky(covariance + ridge * torch.eye(d).double())
        eye = torch.eye(d, dtype=torch.float64)
        whiten = torch.linalg.solve_triangular(factor, eye, upper=False)
        return cls(x.mean(0).float(), whiten.float().contiguous())

    def white(self, features: Float[Tensor, "b d"]) -> Float[Tensor, "b d"]:
        """Features of mean 0 and covariance 1, of training molecules."""
        return (features - self.mean) @ self.whiten.T

    def distance(self, features: Float[Tensor, "b d"]) -> Float[Tensor, " b"]:
        """Mahalanobis' distance over the square root of d: about 1 for a training molecule."""
        return self.white(features).square().mean(-1).sqrt()

    def save(self, folder: Path) -> str:
        """Write it beside a model; returns the file's SHA-256."""
        content = to_bytes({"mean": self.mean, "whiten": self.whiten})
        with atomic_write(folder / FILE) as temporary:
            temporary.write_bytes(content)
        return hashlib.sha256(content).hexdigest()

    @classmethod
    def load(cls, folder: Path, sha256: str | None) -> FeatureSpace | None:
        """The one beside a model; None where it is missing or not the one with that digest."""
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
    """Of 1, 2, ... heavy atoms, the largest distance among known molecules of as many or more.

    Small molecules lie far from the others without being strange, large ones do not. Where fewer
    than 99 are as large, the 99 largest count; None where fewer than 99 are known.
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
