"""Molfile records (V2000 and V3000) from .sdf and .mol files, and records of .mol2 files.

A record is 3-D if its header says so or any z coordinate is not zero. `solid` decides whether its
coordinates are used.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from .conformers import embed_many, refuse_dummies
from .graph import graph_of
from .rdkit_log import quiet, reason
from .solid import is_solid, solid
from .state import ROUNDED, Said, of_mol
from .structure import (
    EMBEDDED,
    Geometry,
    Pending,
    ReadOptions,
    Rejected,
    Structure,
    structure_of,
)
from .textfile import numbered_lines

if TYPE_CHECKING:
    from rdkit import Chem

Record = tuple[int, list[str]]
Parser = Callable[[str, bool], "Chem.Mol"]  # takes a record's text, and whether to sanitise it

MOST_LINES = 20_000  # in a record; a V3000 record of 1,000 atoms with bonds has 2,000


def read_sdf(path: Path, options: ReadOptions) -> Iterator[Pending | Rejected]:
    """The records of a .sdf or .mol file; a bad record does not affect the others.

    A record's name is its title line, else the file's stem and the record's number.
    """
    return _records(path, sdf_blocks(path), _parse)


def read_mol2(path: Path, options: ReadOptions) -> Iterator[Pending | Rejected]:
    """The records of a Tripos .mol2 file, named like those of .sdf files."""
    start = "@<TRIPOS>MOLECULE"
    blocks = (b for b in _blocks(path, start, first=True) if b[1][0].startswith(start))
    return _records(path, blocks, _parse_mol2)


def sdf_blocks(path: Path) -> Iterator[Record]:
    """(number of its first line, its lines) of each record, split at the $$$$ lines.

    RDKit's supplier is not used, because it does not give a record's first line. Charges and
    radicals in the atom lines are also written as properties, because RDKit ignores radicals
    there.
    """
    return ((line, with_radicals(block)) for line, block in _blocks(path, "$$$$"))


def _blocks(path: Path, mark: str, first: bool = False) -> Iterator[Record]:
    """Records that end with a line `mark`, or with `first` start with it."""
    start, block = 1, []
    for number, line in numbered_lines(path):
        if line.startswith(mark):
            if block or not first:
                yield start, block or [""]
            start, block = (number, [line]) if first else (number + 1, [])
        elif len(block) <= MOST_LINES:  # bounds the memory for a record without an end
            block.append(line)
    if any(line.strip() for line in block):
        yield start, block


def _records(path: Path, blocks: Iterator[Record], parse: Parser) -> Iterator[Pending | Rejected]:
    for number, (line, block) in enumerate(blocks, 1):
        title = block[1:2] if parse is _parse_mol2 else block[:1]
        name, source = "".join(title).strip() or f"{path.stem}-{number}", f"{path}:{number}"
        if len(block) > MOST_LINES:
            reason = f"record at line {line}: expected at most {MOST_LINES} lines, got more"
            yield Rejected(name, source, reason)
            continue
        text = "\n".join(block) + "\n"
        yield Pending(name, source, partial(_read_record, name, source, line, text, parse))


def _read_record(
    name: str, source: str, line: int, block: str, parse: Parser, options: ReadOptions
) -> Structure | Rejected:
    try:
        mol = parse(block, False)
        refuse_dummies(mol)
    except InputError as error:
        return Rejected(name, source, _in_file(str(error), line))

    def find() -> Geometry:
        if is_solid(mol):
            found = solid(mol)
        else:
            flat = parse(block, True)
            found = embed_many(flat, options.seed, options.conformers)
            found = Geometry(*found, EMBEDDED, *of_mol(flat), graph_of(flat))
        said = _in_mol2 if parse is _parse_mol2 else _in_block
        charge, unpaired = said(block, found.charge, found.unpaired)
        return found._replace(charge=charge, unpaired=unpaired)

    made = structure_of(name, source, find)
    if isinstance(made, Rejected):
        return Rejected(name, source, _in_file(made.reason, line))
    return made


def with_radicals(block: list[str]) -> list[str]:
    """Add M  CHG and M  RAD lines to a V2000 record whose atom lines mark radicals (code 4).

    A record that already has such lines is not changed: the format then ignores atom lines.
    """
    counts = block[3] if len(block) > 3 else ""
    number = counts[:3].strip()
    if "V3000" in counts or not number.isdecimal():
        return block
    codes = {i: line[36:39].strip() for i, line in enumerate(block[4 : 4 + int(number)], 1)}
    end = next((i for i, line in enumerate(block) if line.startswith("M  END")), len(block))
    if "4" not in codes.values() or any(x[:6] in ("M  CHG", "M  RAD") for x in block[:end]):
        return block
    charged = {
        i: 4 - int(code) for i, code in codes.items() if code in ("1", "2", "3", "5", "6", "7")
    }
    found = {"CHG": charged, "RAD": {i: 2 for i, code in codes.items() if code == "4"}}
    lines = [f"M  {k}  1{i:4}{v:4}" for k, each in found.items() for i, v in each.items()]
    return [*block[:end], *lines, *block[end:]]


def _in_block(block: str, charge: int | None, unpaired: int | None) -> Said:
    """Subtract the two electrons that RDKit counts for each singlet, which are paired."""
    entries = [line[9:].split() for line in block.splitlines() if line.startswith("M  RAD")]
    singlets = sum(entry[1::2].count("1") for entry in entries)
    singlets += len(re.findall(r"^M  V30 .*\bRAD=1\b", block, re.MULTILINE))
    return charge, ((unpaired or 0) - 2 * singlets) or None


def _in_mol2(block: str, charge: int | None, unpaired: int | None) -> Said:
    """The charge is the sum of the atoms' charges, if the record has any."""
    lines = block.splitlines()
    if len(lines) < 5 or lines[4].strip() == "NO_CHARGES":
        return charge, unpaired
    start = next((i for i, line in enumerate(lines, 1) if line.startswith("@<TRIPOS>ATOM")), 0)
    total, any_charge = 0.0, False
    for line in lines[start:] if start else ():
        cells = line.split()
        if line.startswith("@") or len(cells) < 9:
            break
        try:
            q = float(cells[8])
        except ValueError:
            return charge, unpaired
        total, any_charge = total + q, any_charge or q != 0
    whole = any_charge and abs(total - round(total)) <= 2 * ROUNDED
    return (round(total) if whole else charge), unpaired


def _in_file(reason: str, start: int) -> str:
    """The reason with line numbers of the file; RDKit's are relative to the record."""
    reason = re.sub(r"on line ?(\d+)", lambda m: f"on line {int(m[1]) + start - 1}", reason)
    return f"record at line {start}: {reason}"


def _parse(block: str, sanitize: bool) -> Chem.Mol:
    from rdkit import Chem

    # MolFromMolBlock would log the reason only as a warning
    stream = io.BytesIO(block.encode())
    supplier = Chem.ForwardSDMolSupplier(stream, sanitize=sanitize, removeHs=False)
    return _parsed(lambda: next(supplier, None), "molfile")


def _parse_mol2(block: str, sanitize: bool) -> Chem.Mol:
    from rdkit import Chem

    return _parsed(lambda: Chem.MolFromMol2Block(block, sanitize, removeHs=False), "mol2 record")


def _parsed(parse: Callable[[], Chem.Mol | None], what: str) -> Chem.Mol:
    with quiet() as why:
        try:
            mol, said = parse(), why()
        except (RuntimeError, ValueError) as error:
            mol, said = None, reason(str(error))
    if mol is None:
        raise InputError(
            f"cannot read it as a {what} (RDKit: {said or 'no reason given'}): correct the record"
        )
    return mol
