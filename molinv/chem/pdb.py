"""PDB files: elements and coordinates. Bonds are not needed and not read.

PDB files often leave out hydrogens, and seldom have the bond orders that are needed to add them.
A structure without hydrogens is therefore refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from .conformers import MOST_ATOMS, atoms
from .rdkit_log import quiet, reason
from .state import of_mol
from .structure import GIVEN, Geometry, Pending, ReadOptions, Rejected, Structure, structure_of
from .textfile import numbered_lines

if TYPE_CHECKING:
    from rdkit import Chem

MOST_LINES = 100_000  # in a model
BOUND = 1.4  # angstrom, longer than any C-H bond
COORDINATES = ("ATOM", "HETATM")


def read_pdb(path: Path, options: ReadOptions) -> Iterator[Pending | Rejected]:
    """The models of a .pdb file, named by the file's stem and their number.

    A model ends with an ENDMDL or END line. If an atom has alternative locations, the first is
    used. The charge is the sum of the atoms' charges (columns 79 and 80), if there are any.
    """
    for number, (line, block) in enumerate(_models(path), 1):
        name, source = f"{path.stem}-{number}", f"{path}:{number}"
        if len(block) > MOST_LINES:
            reason = f"model at line {line}: expected at most {MOST_LINES:,} atoms, got more"
            yield Rejected(name, source, reason)
        else:
            yield Pending(name, source, partial(_model, name, source, "\n".join(block) + "\n"))


def _models(path: Path) -> Iterator[tuple[int, list[str]]]:
    start, block = 0, []
    for number, line in numbered_lines(path):
        if line.startswith("END") and block:
            yield start, block
            block = []
        elif line.startswith(COORDINATES) and len(block) <= MOST_LINES:
            start = start if block else number
            block.append(line)
    if block:
        yield start, block


def _model(name: str, source: str, block: str, options: ReadOptions) -> Structure | Rejected:
    return structure_of(name, source, partial(_geometry, block))


def _geometry(block: str) -> Geometry:
    from rdkit import Chem

    with quiet() as why:
        try:
            mol, said = Chem.MolFromPDBBlock(block, False, False, 0, False), why()
        except (RuntimeError, ValueError) as error:
            mol, said = None, reason(str(error))
    if mol is None or (mol.GetNumAtoms() and not mol.GetNumConformers()):
        raise InputError(
            f"cannot read its atoms (RDKit: {said or 'no reason given'}): correct the file"
        )
    charge, _ = of_mol(mol)
    if _lacks_hydrogens(mol, charge or 0):
        raise InputError(
            "it lacks hydrogens, and a PDB file does not say where they belong: add hydrogens "
            "(obabel -h does it), or give it as .sdf with bonds"
        )
    return Geometry(*atoms(mol), GIVEN, charge or None)


def _lacks_hydrogens(mol: Chem.Mol, charge: int) -> bool:
    """Whether there are no hydrogens, or none on carbon although carbons have open valences."""
    from rdkit.Chem import rdDetermineBonds

    z, pos = atoms(mol)
    carbons, hydrogens = pos[z == 6], pos[z == 1]
    if not len(hydrogens):
        return True
    apart = np.linalg.norm(carbons[:, None] - hydrogens, axis=-1)
    if not len(carbons) or (apart < BOUND).any():
        return False
    if len(z) > MOST_ATOMS:
        return True
    with quiet():
        try:
            rdDetermineBonds.DetermineBonds(mol, charge=charge, allowChargedFragments=False)
        except (RuntimeError, ValueError):
            return True
    return any(a.GetNumRadicalElectrons() for a in mol.GetAtoms() if a.GetAtomicNum() == 6)
