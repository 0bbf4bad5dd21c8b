"""SMILES: one from an argument, or one a line from a .smi file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from molinv.chem.conformers import embed
from molinv.chem.structure import ReadOptions, Rejected, Structure, build
from molinv.chem.textfile import numbered_lines

HEADERS = {"smiles", "smi", "canonical_smiles", "isomeric_smiles"}  # none is a valid SMILES

_LINE = re.compile(
    r"(?P<smiles>\S+)"
    r"(?:\s+\|[^|]*\|)?"  # a CXSMILES extension: drawing data, which a conformer does not need
    r"\s*(?P<name>.*)"
)


def from_smiles(smiles: str, name: str, source: str, options: ReadOptions) -> Structure | Rejected:
    """A conformer of one SMILES; Rejected, with RDKit's reason, where there is none."""
    return build(
        name or smiles,
        source,
        lambda: embed(smiles, options.seed),
        embedded=True,
        smiles=smiles,
    )


def split(line: str) -> tuple[str, str]:
    """The SMILES and the name (or "") of a line "SMILES name ..."."""
    match = _LINE.fullmatch(line.strip())
    return (match["smiles"], match["name"]) if match else ("", "")


def read_smi(path: Path, options: ReadOptions) -> Iterator[Structure | Rejected]:
    """One SMILES a line, a name after white space; blank lines and # comments are skipped.

    A first line such as "SMILES Name" is a header.
    """
    first = True
    for number, line in numbered_lines(path):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        smiles, name = split(line)
        header, first = first and smiles.lower() in HEADERS, False
        if not header:
            yield from_smiles(smiles, name, f"{path}:{number}", options)
