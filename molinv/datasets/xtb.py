"""Perturbed geometries with GFN2-xTB energies, forces and dipoles, as training data.

Geometries are written as extended XYZ, first in shards, so that an interrupted run can be resumed,
and then as one file. Source: Bannwarth, Ehlert, Grimme, J. Chem. Theory Comput. 15, 1652 (2019),
computed by tblite.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from ..atomic import atomic_write
from ..chem.xtb import METHOD, check_installed
from ..errors import InputError
from .molecules import Molecules
from .shards import Molecule, check_count, check_same, join, planned, run, some, source
from .split import permutation

FILE = "xtb.extxyz"
PARTS = (*8 * ("train",), "valid", "test")  # the parts of every ten molecules, in random order
ACCURACY = 0.1  # tblite's setting; forces are then converged to about 1e-5 eV/angstrom


@dataclass(frozen=True)
class Settings:
    """Which molecules are used, and how they are displaced.

    molecules  number of molecules, drawn at random
    copies     geometries of each molecule: the first as stored, the others with normally
               distributed displacements of the atoms
    sigma      largest standard deviation of a displacement along each axis (angstrom); each
               geometry draws its own between a quarter of sigma and sigma
    seed       random seed of the choice of molecules, the displacements and the parts
    """

    molecules: int = 300
    copies: int = 4
    sigma: float = 0.08
    seed: int = 0

    def __post_init__(self):
        if self.molecules < 1 or self.copies < 1 or self.seed < 0 or not 0 <= self.sigma < 1:
            raise InputError(
                "expected at least one molecule and copy, a seed of 0 or more and a sigma from 0 "
                f"to 1 angstrom, got {self.molecules}, {self.copies}, {self.seed} and {self.sigma}."
            )


def label(
    molecules: Molecules, settings: Settings, folder: Path, workers: int = 0
) -> tuple[Path, int, int]:
    """Write folder/xtb.extxyz; return its path, its number of geometries, and how many failed.

    Each frame has energy (eV), forces (eV/angstrom), dipole (e angstrom), molecule (its id), copy
    and split. All geometries of a molecule are in the same part of the split; the parts have 80, 10
    and 10 % of the molecules. `workers` processes compute; 0 computes in this process. The same
    settings and molecules give the same file up to xTB's convergence. Raises InputError without
    tblite, for more molecules than there are, and for a folder that holds another set.
    """
    check_installed()
    check_count(molecules, settings.molecules, workers)
    chosen = permutation(len(molecules), settings.seed)[: settings.molecules]
    check_same(folder, asdict(settings) | source(molecules))
    paths, todo = planned(folder, len(chosen))
    tasks = [
        (some(molecules, chosen, numbers.start), numbers.start, settings, path)
        for numbers, path in todo
    ]
    run(shard, tasks, workers, METHOD)
    total = join(paths, folder / FILE)
    if not total:
        raise InputError("no molecule could be labelled: xTB did not converge for any of them.")
    return folder / FILE, total, settings.molecules * settings.copies - total


def shard(molecules: Sequence[Molecule], start: int, settings: Settings, path: Path) -> None:
    """Label some molecules and write them to one file; the first is number `start` of the set."""
    frames = []
    for number, (name, z, pos) in enumerate(molecules, start):
        part = PARTS[number % len(PARTS)]
        for copy in range(settings.copies):
            moved = displaced(pos, settings, number, copy)
            try:
                frames.append(_frame(z, moved, f"molecule={name} copy={copy} split={part}"))
            except RuntimeError:  # from tblite: no convergence, or atoms too close
                continue
    with atomic_write(path) as temporary:
        temporary.write_text("".join(frames), encoding="utf-8")


def displaced(
    pos: Float64[np.ndarray, "n 3"], settings: Settings, number: int, copy: int
) -> Float64[np.ndarray, "n 3"]:
    """The displaced geometry of this copy of a molecule, rounded to the digits that are written.

    Copy 0 is not displaced. pos in angstrom.
    """
    draw = np.random.default_rng([settings.seed, number, copy])
    sigma = settings.sigma * draw.uniform(0.25, 1.0) if copy else 0.0
    return np.round(pos + sigma * draw.standard_normal(pos.shape), 8)


def singlepoint(
    z: np.ndarray,
    pos: Float64[np.ndarray, "n 3"],
    field: Float64[np.ndarray, " 3"] | None = None,
) -> tuple[float, Float64[np.ndarray, "n 3"], Float64[np.ndarray, " 3"]]:
    """GFN2-xTB's energy (eV), forces (eV/angstrom) and dipole (e angstrom) of a neutral molecule.

    z (n,) atomic numbers, pos in angstrom, `field` a uniform electric field (atomic units). Raises
    RuntimeError if xTB does not converge.
    """
    from ase.units import Bohr, Hartree
    from tblite.interface import Calculator

    calculator = Calculator(METHOD, np.asarray(z, int), np.asarray(pos, float) / Bohr)
    calculator.set("verbosity", 0)
    calculator.set("accuracy", ACCURACY)
    if field is not None:
        from tblite.library import ffi

        vector = ffi.new("double[3]", [float(x) for x in field])  # it refuses arrays
        calculator.add("electric-field", vector)
    found = calculator.singlepoint()
    forces = -found.get("gradient") * (Hartree / Bohr)
    return float(found.get("energy")) * Hartree, forces, found.get("dipole") * Bohr


def _frame(z: np.ndarray, pos: np.ndarray, more: str) -> str:
    energy, forces, dipole = singlepoint(z, pos)
    return frame(z, pos, forces, dipole, f"energy={energy:.10f} {more}")


def frame(z: np.ndarray, pos: np.ndarray, forces: np.ndarray, dipole: np.ndarray, keys: str) -> str:
    """One molecule in extended XYZ: forces (eV/angstrom), dipole (e angstrom) and other `keys`."""
    from ase.data import chemical_symbols

    vector = " ".join(f"{x:.8f}" for x in dipole)
    lines = [
        f"{len(z)}",
        f'Properties=species:S:1:pos:R:3:forces:R:3 dipole="{vector}" {keys} pbc="F F F"',
    ]
    for k, x, f in zip(z, pos, forces, strict=True):
        numbers = " ".join(f"{value:16.8f}" for value in (*x, *f))
        lines.append(f"{chemical_symbols[k]:<2} {numbers}")
    return "\n".join(lines) + "\n"
