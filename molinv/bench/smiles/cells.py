"""A cell of the benchmark (set, split and seed), with the file that all programs read."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from ...atomic import atomic_write
from ...datasets.split import Split
from ...errors import InputError

PART = "part"  # column with the part of a molecule
WORDS = ("train", "val", "test")  # chemprop silently ignores rows with "valid"
UNITS = {
    "freesolv": {"dG": "kcal/mol"},
    "solubility": {"logS": "log mol/L"},
    "qm9": dict.fromkeys(("homo", "lumo", "gap", "U0"), "meV"),
}


@dataclass(frozen=True, eq=False)
class Molecules:
    """SMILES and values (n, t); `unreadable` are the records that RDKit cannot read."""

    smiles: list[str]
    values: Float64[np.ndarray, "n t"]
    unreadable: tuple[str, ...] = ()

    def first(self, count: int) -> Molecules:
        """The first `count` molecules."""
        return Molecules(self.smiles[:count], self.values[:count], self.unreadable)


@dataclass(frozen=True)
class Cell:
    """A set, a split and a seed, in a folder of the benchmark."""

    out: Path
    set: str
    split: str
    seed: int

    def __str__(self) -> str:
        return f"{self.set}, {self.split}, seed {self.seed}"

    @property
    def folder(self) -> Path:
        """Folder of the cell's file and results."""
        return self.out / f"{self.set}-{self.split}" / f"seed{self.seed}"

    @property
    def file(self) -> Path:
        """A table with the columns smiles, one per target, and part."""
        return self.folder / "molecules.csv"

    @property
    def units(self) -> dict[str, str]:
        """Unit of each target."""
        return UNITS[self.set]

    def write(self, molecules: Molecules, parts: Split) -> None:
        """Write the cell's file, unless it exists.

        Raises InputError if it exists with other contents.
        """
        rows = [["smiles", *self.units, PART]]
        for word, part in zip(WORDS, (parts.train, parts.valid, parts.test), strict=True):
            for i in np.sort(part).tolist():
                rows.append([molecules.smiles[i], *(f"{v:.8g}" for v in molecules.values[i]), word])
        if not self.file.is_file():
            write_rows(self.file, rows)
        elif list(_rows(self.file)) != rows:
            raise InputError(
                f"{self.file} has other molecules: choose another --out, or delete {self.folder}."
            )

    def test(self) -> tuple[list[str], Float64[np.ndarray, "n t"]]:
        """SMILES and values of the test molecules, in the file's order."""
        chosen = [row for row in _rows(self.file) if row[-1] == "test"]
        return [row[0] for row in chosen], np.array([[float(v) for v in r[1:-1]] for r in chosen])

    def sizes(self) -> dict[str, int]:
        """Number of molecules in each part."""
        words = [row[-1] for row in _rows(self.file)]
        return {word: words.count(word) for word in WORDS}


def write_rows(path: Path, rows: Iterable[Iterable[Any]]) -> None:
    """Write a .csv file atomically, creating its folder if needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)


def _rows(path: Path) -> Iterable[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.reader(file)
