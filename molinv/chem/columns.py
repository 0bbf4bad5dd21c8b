"""The columns of a file of molecules, record by record, to be copied into output tables.

These are the cells of .csv and .tsv tables and of .smi files with a header, the data fields of
.sdf records, and the texts and numbers in extended XYZ comments, ASE databases and trajectories.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..errors import InputError
from .blocks import sdf_blocks
from .labels import fields, labels
from .smiles import cells_of, header_of, molecule_lines
from .structure import ReadOptions
from .tables import table_rows

LINES = (".smi", ".smiles", ".txt", ".inchi")
KEYS = (".xyz", ".extxyz", ".db", ".traj")
FORMAT = ("Properties", "Lattice", "pbc")  # keys that describe an extended XYZ frame itself


class Columns(NamedTuple):
    """The distinct names of a file's columns, and the cells of each record by name."""

    names: list[str]
    rows: Iterator[dict[str, Any]]


def columns(path: Path, options: ReadOptions) -> Columns:
    """A file's columns. If a name occurs twice, the second column is called `name_2`.

    Records are those of the file's reader, in the same order. Other kinds of files have no
    columns.
    """
    extension = Path(path.name.lower().removesuffix(".gz")).suffix
    if extension in (".csv", ".tsv"):
        table = table_rows(path, options)
        if table is None:
            return Columns([], iter(()))
        names = distinct(table.columns)
        return Columns(names, (dict(zip(names, c, strict=False)) for _, c in table.rows))
    if extension in LINES:
        names = distinct(header_of(path) or [])
        return Columns(names, _of_lines(path, names))
    if extension in (".sdf", ".mol"):
        found = (dict(_named(fields(block))) for _, block in sdf_blocks(path))
        return Columns(_every(dict(_named(fields(b))) for _, b in sdf_blocks(path)), found)
    if extension in KEYS:
        try:
            return Columns(_every(_of_keys(path, options)), _of_keys(path, options))
        except InputError:  # the reader raises it as well
            pass
    return Columns([], _nothing())


def distinct(names: Iterable[str]) -> list[str]:
    """Distinct names: repeated names get _2, _3, ...; an empty one becomes column_POSITION."""
    made: list[str] = []
    for place, name in enumerate(names, 1):
        name = free = name or f"column_{place}"
        number = 2
        while free in made:
            free, number = f"{name}_{number}", number + 1
        made.append(free)
    return made


def _of_lines(path: Path, names: list[str]) -> Iterator[dict[str, Any]]:
    for _, line in molecule_lines(path):
        yield dict(zip(names, cells_of(line, len(names)), strict=False)) if names else {}


def _named(found: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    pairs = list(found)
    return zip(distinct(name for name, _ in pairs), (text for _, text in pairs), strict=True)


def _of_keys(path: Path, options: ReadOptions) -> Iterator[dict[str, Any]]:
    for row in labels(path, options):
        plain = {k: v.item() if isinstance(v, np.generic) else v for k, v in row.items()}
        plain = {k: v for k, v in plain.items() if isinstance(v, str | int | float | bool)}
        yield {k: v for k, v in plain.items() if k not in FORMAT}


def _every(rows: Iterable[dict[str, Any]]) -> list[str]:
    return list(Counter(name for row in rows for name in row))


def _nothing() -> Iterator[dict[str, Any]]:
    while True:
        yield {}
