"""Molfile records, V2000 and V3000, from .sdf and .mol files.

Whether a record's own coordinates are used:

- 3-D with its hydrogens: exactly as they stand. Bonds and charges play no part then, so a
  record whose valences RDKit refuses (QM9's own SDF has hundreds) is as good as any.
- 3-D without hydrogens, or with those on N, O and S only: the missing hydrogens are added
  where the geometry asks for them; the given atoms stay where they are.
- 2-D, or all atoms in one place: a drawing. Hydrogens and a conformer search.

A record is 3-D when its header says so or any z coordinate is not zero.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from molinv.chem.conformers import atoms, embed, refuse_dummies
from molinv.chem.rdkit_log import quiet, reason
from molinv.chem.structure import Coordinates, ReadOptions, Rejected, Structure, build
from molinv.chem.textfile import numbered_lines
from molinv.errors import InputError

if TYPE_CHECKING:
    from rdkit import Chem

Record = tuple[int, list[str]]


def read_sdf(path: Path, options: ReadOptions) -> Iterator[Structure | Rejected]:
    """The records of a .sdf file, or the one of a .mol file; a bad one loses no other.

    The name is the title line, else the file's stem and the record's number.
    """
    for number, (line, block) in enumerate(_records(path), 1):
        name = block[0].strip() or f"{path.stem}-{number}"
        yield _read_record(name, f"{path}:{number}", line, "\n".join(block) + "\n", options)


def _records(path: Path) -> Iterator[Record]:
    """(number of its first line, its lines) of each record, split at the $$$$ lines.

    Done here and not by RDKit's supplier, which cannot say on which line a record began.
    """
    start, block = 1, []
    for number, line in numbered_lines(path):
        if line.startswith("$$$$"):
            yield start, block or [""]
            start, block = number + 1, []
        else:
            block.append(line)
    if any(line.strip() for line in block):
        yield start, block


def _read_record(
    name: str, source: str, line: int, block: str, options: ReadOptions
) -> Structure | Rejected:
    try:
        mol = _parse(block, sanitize=False)
        refuse_dummies(mol)
    except InputError as error:
        return Rejected(name, source, _in_file(str(error), line))
    drawing = not _is_solid(mol)
    made = build(
        name,
        source,
        lambda: embed(_parse(block, sanitize=True), options.seed) if drawing else _solid(mol),
        embedded=drawing,
    )
    if isinstance(made, Rejected):
        return Rejected(name, source, _in_file(made.reason, line))
    return made


def _in_file(reason: str, start: int) -> str:
    """RDKit counts lines from the record's first: count them from the file's."""
    reason = re.sub(r"on line ?(\d+)", lambda m: f"on line {int(m[1]) + start - 1}", reason)
    return f"record at line {start}: {reason}"


def _parse(block: str, sanitize: bool) -> Chem.Mol:
    from rdkit import Chem

    with quiet() as why:
        try:
            # Not MolFromMolBlock, which logs its reason as a mere warning.
            stream = io.BytesIO(block.encode())
            supplier = Chem.ForwardSDMolSupplier(stream, sanitize=sanitize, removeHs=False)
            mol = next(supplier, None)
            said = why()
        except (RuntimeError, ValueError) as error:
            mol, said = None, reason(str(error))
    if mol is None:
        raise InputError(
            f"cannot read it as a molfile (RDKit: {said or 'no reason given'}): correct the record"
        )
    return mol


def _is_solid(mol: Chem.Mol) -> bool:
    if not mol.GetNumConformers() or not mol.GetConformer().Is3D():
        return mol.GetNumAtoms() == 0  # nothing to search a conformer for
    pos = mol.GetConformer().GetPositions()
    return len(pos) < 2 or bool(np.ptp(pos, axis=0).max() > 0)


def _solid(mol: Chem.Mol) -> Coordinates:
    """The record's own coordinates, with the hydrogens it left out."""
    from rdkit import Chem

    explicit = any(atom.GetAtomicNum() == 1 for atom in mol.GetAtoms())
    with quiet():
        whole = Chem.Mol(mol)
        try:
            Chem.SanitizeMol(whole)
        except ValueError as error:
            if explicit:
                return atoms(mol)
            raise InputError(
                f"it has no hydrogens and RDKit cannot add them ({reason(str(error))}): "
                "correct its bonds and charges, or give it with hydrogens"
            ) from None
        return atoms(Chem.AddHs(whole, addCoords=True) if _lacks_hydrogens(whole) else mol)


def _lacks_hydrogens(mol: Chem.Mol) -> bool:
    """No hydrogen on any carbon, and some are due: on a carbon, or anywhere if there are none.

    A record with hydrogens on its carbons is complete: an open valence in it is a radical
    or a charge that was not written down.
    """
    bearers = [
        atom for atom in mol.GetAtoms() if any(n.GetAtomicNum() == 1 for n in atom.GetNeighbors())
    ]
    if any(atom.GetAtomicNum() == 6 for atom in bearers):
        return False
    due = [atom for atom in mol.GetAtoms() if atom.GetTotalNumHs() > 0]
    return any(atom.GetAtomicNum() == 6 for atom in due) or (not bearers and bool(due))
