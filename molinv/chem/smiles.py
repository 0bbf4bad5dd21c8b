"""SMILES or InChI: one from an argument, or one a line from a .smi file."""

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

HEADERS = {"smiles", "smi", "canonical_smiles", "isomeric_smiles", "inchi"}  # no valid SMILES

_LINE = re.compile(
    r"(?P<smiles>\S+)"
    r"(?:\s+\|[^|]*\|)?"  # a CXSMILES extension: drawing data, which a conformer does not need
    r"\s*(?P<name>.*)"
)


def from_smiles(smiles: str, name: str, source: str, options: ReadOptions) -> Structure | Rejected:
    """Conformers of one SMILES or InChI; Rejected, with RDKit's reason, where there are none."""
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
    """`from_smiles`, for whoever has the time."""
    return Pending(name or smiles, source, partial(from_smiles, smiles, name, source))


def split(line: str) -> tuple[str, str]:
    """The SMILES and the name (or "") of a line "SMILES name ..."."""
    match = _LINE.fullmatch(line.strip())
    return (match["smiles"], match["name"]) if match else ("", "")


def read_smi(path: Path, options: ReadOptions) -> Iterator[Pending]:
    """One SMILES or InChI a line, a name after white space; blank lines and # comments are skipped.

    A first line such as "SMILES Name" is a header.
    """
    return _from_lines(numbered_lines(path), path)


def read_standard_input() -> Iterator[Pending]:
    """SMILES lines, as in a .smi file, from standard input."""
    return _from_lines(standard_input(), "standard input")


def _from_lines(lines: Iterable[tuple[int, str]], where: Path | str) -> Iterator[Pending]:
    first = True
    for number, line in lines:
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        smiles, name = split(line)
        header, first = first and smiles.lower() in HEADERS, False
        if not header:
            yield pending(smiles, name, f"{where}:{number}")
