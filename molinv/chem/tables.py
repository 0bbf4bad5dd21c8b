"""SMILES and InChI from a column of a .csv or .tsv file."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import InputError
from .smiles import NAME_COLUMNS, pending
from .structure import Pending, ReadOptions, Rejected
from .textfile import numbered_lines

SMILES_COLUMNS = ("smiles", "canonical_smiles", "isomeric_smiles", "smi")
INCHI_COLUMNS = ("inchi", "standard_inchi", "standardinchi", "std_inchi")
DELIMITERS = ",;\t"


class Table(NamedTuple):
    """A .csv file: names of columns, index of the SMILES column, and (line, cells) of each row."""

    columns: list[str]
    smiles: int
    rows: Iterator[tuple[int, list[str]]]


def read_csv(path: Path, options: ReadOptions) -> Iterator[Pending | Rejected]:
    """Molecules of a table with a header, separated by commas, semicolons or tabs.

    The SMILES column is options.smiles_column. By default it is the column called smiles,
    canonical_smiles, isomeric_smiles or smi in upper or lower case, else the only column with
    "smiles" in its name, else the column called inchi. Its cells may also be InChIs. The name is
    in the column called name, title, id or mol_id; the default is the SMILES. Blank rows are
    skipped. Raises InputError if there is no SMILES column.
    """
    table = table_rows(path, options)
    if table is None:
        return
    at, named = table.smiles, _first(table.columns, NAME_COLUMNS)
    for number, row in table.rows:
        smiles = row[at].strip() if at < len(row) else ""
        name = row[named].strip() if named is not None and named < len(row) else ""
        source = f"{path}:{number}"
        if not smiles:
            reason = f"expected a SMILES in column {table.columns[at]!r}, got an empty cell"
            yield Rejected(name or f"{path.stem}:{number}", source, reason)
        elif "\n" in smiles:
            reason = (
                f"the cell in column {table.columns[at]!r} runs over several lines: close its quote"
            )
            yield Rejected(name or f"{path.stem}:{number}", source, reason)
        else:
            yield pending(smiles, name, source)


def table_rows(path: Path, options: ReadOptions) -> Table | None:
    """The table, whose rows are read lazily; None for an empty file.

    Raises InputError if there is no header or no SMILES column.
    """
    lines = numbered_lines(path)
    start, top = next(((n, line) for n, line in lines if line.strip()), (0, ""))
    if not top:
        return None
    text = chain([top + "\n"], (line + "\n" for _, line in lines))
    rows = _rows(path, csv.reader(text, delimiter=_delimiter(top)), start)
    found = next(rows, None)
    if found is None:
        raise InputError(f"{path}: expected a header and a SMILES column, got empty cells only.")
    columns = [cell.strip() for cell in found[1]]
    return Table(columns, _smiles_column(path, columns, options.smiles_column), rows)


def _rows(path: Path, reader: Any, start: int) -> Iterator[tuple[int, list[str]]]:
    """(first line, cells) of each row of a csv.reader that begins at line `start`."""
    number = start
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                yield number, row
            number = start + reader.line_num
    except csv.Error as error:
        raise InputError(
            f"{path}: the row at line {number} is not CSV ({error}); look for an open quote"
        ) from None


def _delimiter(header: str) -> str:
    """The separator that splits the header into the most cells."""

    def cells(delimiter: str) -> int:
        try:
            return len(next(csv.reader([header], delimiter=delimiter)))
        except csv.Error:  # not CSV; reading the rows raises the error
            return 0

    return max(DELIMITERS, key=cells)


def _first(columns: list[str], wanted: tuple[str, ...]) -> int | None:
    lower = [column.lower() for column in columns]
    return next((lower.index(name) for name in wanted if name in lower), None)


def _smiles_column(path: Path, columns: list[str], asked: str | None) -> int:
    if asked is not None:
        at = columns.index(asked) if asked in columns else _first(columns, (asked.lower(),))
        expected = f"a column {asked!r}"
    else:
        at = _first(columns, SMILES_COLUMNS)
        alike = [i for i, column in enumerate(columns) if "smiles" in column.lower()]
        at = alike[0] if at is None and len(alike) == 1 else at
        at = _first(columns, INCHI_COLUMNS) if at is None and not alike else at
        expected = "one SMILES column"
    if at is not None and columns.count(columns[at]) > 1:
        raise InputError(f"{path}: two columns are called {columns[at]!r}: rename one of them")
    if at is None:
        listed = ", ".join(repr(column[:40]) for column in columns[:30])
        raise InputError(
            f"{path}: expected {expected}, got the columns {listed}: "
            "name it with --smiles_column, or smiles_column in Python"
        )
    return at
