"""Molecules in a uniform electric field, labelled with GFN2-xTB: real data, part of a symmetry.

The target is the Stark shift, the energy in the field less the energy without it, in meV. Its
symmetry follows from the Hamiltonian. In a field F the electrons and nuclei have

    H(X, F) = H(X, 0) - mu . F,        mu = sum_A Z_A R_A - sum_i r_i   (atomic units)

where X are the nuclei and H(X, 0) commutes with every rigid motion and reflection of electrons and
nuclei together. For R in O(3) the operator mu turns into R mu, and R mu . F = mu . R^T F, so

    E(R X, F) = E(X, R^T F).

The learner sees X alone; F is the same for all molecules. So R leaves the shift of every molecule
unchanged exactly where R F = F: turns about the field's axis n by any angle, SO(2), and mirror
planes that contain n, together C-infinity-v = O(2). Turns about another axis turn the field and
change the shift. Elements that map F to -F (inversion, half turns about an axis at right angles to
n) keep the even orders of

    E(X, F) - E(X, 0) = - mu . F - 1/2 F . alpha F - 1/6 beta F F F - ...

but not the odd ones, so they are not symmetries. Translations change mu by the total charge times
the displacement: the shift of a neutral molecule, which all are here, is translation invariant.
Sources: Bannwarth, Ehlert, Grimme, J. Chem. Theory Comput. 15, 1652 (2019), as tblite computes it;
Buckingham, Adv. Chem. Phys. 12, 107 (1967), for the expansion.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from ..chem.xtb import METHOD, check_installed
from ..errors import InputError
from .labelled import Labelled, gather, left_out, save
from .molecules import Molecules
from .placement import poses
from .shards import Molecule, check_count, check_same, planned, run, some, source
from .split import permutation
from .targets import Target
from .xtb import frame, singlepoint

FILE = "field.extxyz"
SHIFT = Target("shift", "meV", "GFN2-xTB energy in the field less the energy without it")
MEV = 1000.0  # of an eV
STRONGEST = 0.05  # atomic units: electrons of a small molecule leave it in a stronger field
WIDEST = 0.2  # angstrom: larger displacements break bonds
TILTED = 0.8  # largest |cosine| of a drawn axis with x, y or z
Axis = tuple[float, float, float]
Vector = Float64[np.ndarray, " 3"]


@dataclass(frozen=True)
class Settings:
    """Which molecules, in which field.

    molecules   how many, drawn by `seed`
    strength    the field, in atomic units (51.4 V/angstrom)
    axis        its direction; drawn by `seed`, away from x, y and z, where not given
    geometries  of each molecule, each in an orientation of its own; with 1 it is the stored one,
                with more every coordinate is displaced by a normal draw of `sigma` angstrom
    seed        of the draw of molecules, their orientations (Haar), displacements and the axis
    """

    molecules: int = 10_000
    strength: float = 0.01
    axis: Axis | None = None
    geometries: int = 1
    sigma: float = 0.03
    seed: int = 0

    def __post_init__(self):
        if self.molecules < 1 or self.seed < 0:
            raise InputError(
                "expected at least one molecule and a seed of 0 or more, got "
                f"{self.molecules} and {self.seed}."
            )
        if self.geometries < 1 or not 0 < self.sigma <= WIDEST:
            raise InputError(
                f"expected at least one geometry and a sigma above 0 and up to {WIDEST} angstrom, "
                f"got {self.geometries} and {self.sigma}."
            )
        if self.strength == 0:
            raise InputError("a field of zero shifts no energy: give a strength such as 0.01.")
        if not 0 < self.strength <= STRONGEST:
            raise InputError(
                f"expected a strength above 0 and up to {STRONGEST} atomic units, got "
                f"{self.strength}; the axis says the direction."
            )
        if self.axis is not None and not (
            len(self.axis) == 3 and all(map(isfinite, self.axis)) and any(self.axis)
        ):
            raise InputError(
                f"expected an axis x,y,z of length above 0, got {','.join(map(str, self.axis))}."
            )

    def direction(self) -> Float64[np.ndarray, " 3"]:
        """The unit vector along the field."""
        if self.axis is not None:
            n = np.array(self.axis, np.float64)
            n /= np.abs(n).max()  # squares of very long or short vectors are not numbers
            return n / np.linalg.norm(n)
        draw = np.random.default_rng(self.seed)
        while True:
            n = draw.standard_normal(3)
            n /= np.linalg.norm(n)
            if np.abs(n).max() <= TILTED:
                return n


class Truth(NamedTuple):
    """The symmetry of a set that `label` wrote: turns about `axis` by any angle, nothing else."""

    axis: Axis
    strength: float


def truth(folder: Path) -> Truth:
    """The field that a set was made with; raises InputError for another folder."""
    path = folder / "settings.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return Truth(tuple(found["axis"]), float(found["strength"]))
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(
            f"{folder} is not a set of molecules in a field: expected {path.name} with its axis, "
            "as `molinv data field` writes it."
        ) from None


def label(
    molecules: Molecules, settings: Settings, folder: Path, workers: int = 0
) -> tuple[Path, int, int]:
    """Write folder/field.extxyz; returns its path, how many molecules it has, how many failed.

    A frame has a molecule in a Haar-random orientation, its shift (meV), and in the field its
    energy (eV), forces (eV/angstrom) and dipole (e angstrom). folder/molecules is a data set of
    the same molecules with the shift alone, which opens faster. settings.json has the axis, which
    is in neither. Molecules whose SCF does not converge are listed in left_out.csv. `workers`
    processes compute, 0 this one; an interrupted run is resumed. Raises InputError without tblite,
    for more molecules than there are, and for a folder that holds another set.
    """
    check_installed()
    check_count(molecules, settings.molecules, workers)
    n = settings.direction()
    check_same(folder, asdict(settings) | {"axis": n.tolist()} | source(molecules))
    drawn = permutation(len(molecules), settings.seed)[: settings.molecules]
    chosen = np.repeat(drawn, settings.geometries)
    paths, todo = planned(folder, len(chosen))
    turns = poses(len(chosen), settings.seed)[0].numpy()
    field = settings.strength * n
    tasks = [
        (
            _some(molecules, chosen, numbers.start, settings),
            turns[numbers.start : numbers.stop],
            field,
            path,
        )
        for numbers, path in todo
    ]
    run(shard, tasks, workers, f"{METHOD} in a field")
    total = gather(paths, folder / FILE, SHIFT)
    return folder / FILE, total, left_out(paths, folder, total)


def _some(
    molecules: Molecules, chosen: Int64[np.ndarray, " m"], start: int, settings: Settings
) -> list[Molecule]:
    """The molecules of a shard, displaced and numbered if there are several of each."""
    taken = some(molecules, chosen, start)
    if settings.geometries == 1:
        return taken
    made = []
    for number, (name, z, pos) in enumerate(taken, start):
        draw = np.random.default_rng([settings.seed, number])
        moved = pos + settings.sigma * draw.standard_normal(pos.shape)
        made.append((f"{name}-{number % settings.geometries}", z, moved))
    return made


def placed(
    pos: Float64[np.ndarray, "n 3"], turn: Float64[np.ndarray, "3 3"]
) -> Float64[np.ndarray, "n 3"]:
    """A centred geometry turned by a rotation, to the digits that are written."""
    pos = np.asarray(pos, np.float64)
    return np.round((pos - pos.mean(0)) @ turn.T, 8)


def stark(
    z: np.ndarray, pos: Float64[np.ndarray, "n 3"], field: Vector
) -> tuple[float, float, Float64[np.ndarray, "n 3"], Float64[np.ndarray, " 3"]]:
    """The shift (meV), and in the field energy (eV), forces (eV/angstrom), dipole (e angstrom).

    `field` is in atomic units. Raises RuntimeError where either SCF does not converge.
    """
    without = singlepoint(z, pos)[0]
    energy, forces, dipole = singlepoint(z, pos, field)
    return MEV * (energy - without), energy, forces, dipole


def shard(
    molecules: Sequence[Molecule],
    turns: Float64[np.ndarray, "m 3 3"],
    field: Vector,
    path: Path,
) -> None:
    """Label some molecules as one file; those that do not converge are listed beside it."""
    labelled, lost = [], []
    for (name, z, pos), turn in zip(molecules, turns, strict=True):
        at = placed(pos, turn)
        try:
            found = stark(z, at, field)
        except RuntimeError as error:
            lost.append((name, " ".join(str(error).split())))
            continue
        labelled.append(Labelled(name, z, at, found[0], _frame(name, z, at, found)))
    save(path, labelled, lost)


def _frame(name: str, z: np.ndarray, pos: np.ndarray, found: tuple) -> str:
    shift, energy, forces, dipole = found
    keys = f"shift={shift:.6f} energy={energy:.10f} name={name}"
    return frame(z, pos, forces, dipole, keys)
