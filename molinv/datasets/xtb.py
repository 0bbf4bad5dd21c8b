"""Perturbed geometries with GFN2-xTB energies, forces and dipoles, as training data.

Geometries are written as extended XYZ, first in shards, so that an interrupted run can be resumed,
and then as one file. Source: Bannwarth, Ehlert, Grimme, J. Chem. Theory Comput. 15, 1652 (2019),
computed by tblite.
"""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int64

from ..atomic import atomic_write
from ..chem.xtb import check_installed
from ..errors import InputError
from ..screen import messages
from .molecules import Molecules
from .split import permutation

FILE = "xtb.extxyz"
SHARD = 16  # molecules
PARTS = (*8 * ("train",), "valid", "test")  # the parts of every ten molecules, in random order
THREADS = "OMP_NUM_THREADS"
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
    if settings.molecules > len(molecules):
        raise InputError(
            f"expected at most {len(molecules):,} molecules, got {settings.molecules}."
        )
    if workers < 0:
        raise InputError(f"expected 0 worker processes or more, got {workers}.")
    chosen = permutation(len(molecules), settings.seed)[: settings.molecules]
    shards = folder / "shards"
    shards.mkdir(parents=True, exist_ok=True)
    _check_same(folder / "settings.json", molecules, settings)
    starts = range(0, len(chosen), SHARD)
    names = [shards / f"{start:08d}.extxyz" for start in starts]
    tasks = [
        (_some(molecules, chosen, start), start, settings, name)
        for start, name in zip(starts, names, strict=True)
        if not name.is_file()
    ]
    _run(tasks, workers)
    total = 0
    with atomic_write(folder / FILE) as temporary, temporary.open("wb") as file:
        for name in names:
            text = name.read_bytes()
            total += text.count(b"Properties=")
            file.write(text)
    return folder / FILE, total, settings.molecules * settings.copies - total


def _check_same(path: Path, molecules: Molecules, settings: Settings) -> None:
    made = json.dumps(asdict(settings) | {"of": len(molecules)}, indent=1)
    if path.is_file() and path.read_text(encoding="utf-8") != made:
        raise InputError(
            f"{path.parent} holds a set with other settings ({path.name}): choose another --out, "
            "or delete that folder."
        )
    with atomic_write(path) as temporary:
        temporary.write_text(made, encoding="utf-8")


Molecule = tuple[str, np.ndarray, np.ndarray]  # id, z and pos
Task = tuple[list[Molecule], int, Settings, Path]


def _some(molecules: Molecules, chosen: Int64[np.ndarray, " m"], start: int) -> list[Molecule]:
    made = []
    for i in chosen[start : start + SHARD]:
        z, pos = molecules.molecule(i)
        made.append((molecules.ids[int(i)], np.array(z), np.array(pos)))
    return made


def _run(tasks: Sequence[Task], workers: int) -> None:
    from rich.progress import track

    def bar(items):
        screen = messages()
        return track(items, "GFN2-xTB", total=len(tasks), console=screen, transient=True)

    if workers == 0:
        for task in bar(tasks):
            shard(*task)
        return
    spawned = multiprocessing.get_context("spawn")
    with _one_thread(), ProcessPoolExecutor(workers, spawned) as pool:
        try:
            for done in bar(as_completed([pool.submit(shard, *task) for task in tasks])):
                done.result()
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


@contextmanager
def _one_thread() -> Iterator[None]:
    """Give the processes started here one OpenMP thread each: with more they are slower."""
    before = os.environ.get(THREADS)
    os.environ[THREADS] = "1"  # a process reads this when it loads its libraries
    try:
        yield
    finally:
        os.environ.pop(THREADS)
        if before is not None:
            os.environ[THREADS] = before


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
    z: np.ndarray, pos: Float64[np.ndarray, "n 3"]
) -> tuple[float, Float64[np.ndarray, "n 3"], Float64[np.ndarray, " 3"]]:
    """GFN2-xTB's energy (eV), forces (eV/angstrom) and dipole (e angstrom) of a neutral molecule.

    z (n,) atomic numbers, pos in angstrom. Raises RuntimeError if xTB does not converge.
    """
    from ase.units import Bohr, Hartree
    from tblite.interface import Calculator

    calculator = Calculator("GFN2-xTB", np.asarray(z, int), np.asarray(pos, float) / Bohr)
    calculator.set("verbosity", 0)
    calculator.set("accuracy", ACCURACY)
    found = calculator.singlepoint()
    forces = -found.get("gradient") * (Hartree / Bohr)
    return float(found.get("energy")) * Hartree, forces, found.get("dipole") * Bohr


def _frame(z: np.ndarray, pos: np.ndarray, more: str) -> str:
    from ase.data import chemical_symbols

    energy, forces, dipole = singlepoint(z, pos)
    vector = " ".join(f"{x:.8f}" for x in dipole)
    lines = [
        f"{len(z)}",
        f"Properties=species:S:1:pos:R:3:forces:R:3 energy={energy:.10f} "
        f'dipole="{vector}" {more} pbc="F F F"',
    ]
    for k, x, f in zip(z, pos, forces, strict=True):
        numbers = " ".join(f"{value:16.8f}" for value in (*x, *f))
        lines.append(f"{chemical_symbols[k]:<2} {numbers}")
    return "\n".join(lines) + "\n"
