"""SMILES and InChI: from an argument, or from the lines of a .smi file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from ..errors import InputError
from .conformers import as_smiles, embed_many, parse_smiles
from .graph import graph_of
from .state import of_mol
from .structure import (
    EMBEDDED,
    Geometry,
    Pending,
    ReadOptions,
    Rejected,
    Structure,
    structure_of,
)
from .textfile import numbered_lines, standard_input

NAME_COLUMNS = ("name", "title", "id", "mol_id")

HEADERS = {"smiles", "smi", "canonical_smiles", "isomeric_smiles", "inchi"}  # no valid SMILES

_LINE = re.compile(
    r"(?P<smiles>\S+)"
    r"(?:\s+\|[^|]*\|)?"  # a CXSMILES extension: drawing data, which a conformer does not need
    r"\s*(?P<name>.*)"
)


def from_smiles(smiles: str, name: str, source: str, options: ReadOptions) -> Structure | Rejected:
    """The structure of one SMILES or InChI; Rejected, with RDKit's reason, if it has none."""
    name = name or smiles
    try:
        smiles = as_smiles(smiles)
    except InputError as error:
        return Rejected(name, source, str(error))

    def find() -> Geometry:
        mol = parse_smiles(smiles)
        found = embed_many(mol, options.seed, options.conformers)
        return Geometry(*found, EMBEDDED, *of_mol(mol), graph_of(mol))

    return structure_of(name, source, find, smiles)


def pending(smiles: str, name: str, source: str) -> Pending:
    """A record whose conformers are searched later, by `from_smiles`."""
    return Pending(name or smiles, source, partial(from_smiles, smiles, name, source))


def split(line: str) -> tuple[str, str]:
    """The SMILES and the name (or "") of a line "SMILES name ..."."""
    match = _LINE.fullmatch(line.strip())
    return (match["smiles"], match["name"]) if match else ("", "")


def read_smi(path: Path, options: ReadOptions) -> Iterator[Pending]:
    """One SMILES or InChI in each line, with an optional name after white space.

    Blank lines and # comments are skipped. A first line such as "SMILES Name" is a header. If it
    has more than two columns, the name is in the column called name, title, id or mol_id.
    """
    return _from_lines(numbered_lines(path), path)


def read_standard_input() -> Iterator[Pending]:
    """SMILES lines, as in a .smi file, from standard input."""
    return _from_lines(standard_input(), "standard input")


def header_of(path: Path) -> list[str] | None:
    """The names of a .smi file's columns; None if it has no header."""
    line = next((line for _, line in numbered_lines(path) if _counts(line)), "")
    return cells_of(line) if _is_header(line) else None


def molecule_lines(path: Path) -> Iterator[tuple[int, str]]:
    """(line number, line) of the molecules in a .smi file."""
    lines = ((number, line) for number, line in numbered_lines(path) if _counts(line))
    for first, (number, line) in enumerate(lines):
        if first or not _is_header(line):
            yield number, line


def cells_of(line: str, most: int = 0) -> list[str]:
    """A line's cells, split at tabs or else at white space into at most `most` cells."""
    cells = line.split("\t") if "\t" in line else line.split(None, most - 1 if most else -1)
    return [cell.strip() for cell in cells]


def _counts(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _is_header(line: str) -> bool:
    return split(line)[0].lower() in HEADERS


def _from_lines(lines: Iterable[tuple[int, str]], where: Path | str) -> Iterator[Pending]:
    first, columns, named = True, 0, None
    for number, line in lines:
        if not _counts(line):
            continue
        header, first = first and _is_header(line), False
        if header:
            names = [name.lower() for name in cells_of(line)]
            found = [i for i, name in enumerate(names) if name in NAME_COLUMNS]
            columns, named = len(names), found[0] if found and len(names) > 2 else None
            continue
        smiles, name = split(line)
        if named is not None:
            cells = cells_of(line, columns)
            name = cells[named] if named < len(cells) else ""
        yield pending(smiles, name, f"{where}:{number}")
