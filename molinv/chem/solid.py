"""Whether an RDKit molecule has a 3-D geometry, and adding the hydrogens that it lacks.

- 3-D with hydrogens: coordinates are used unchanged. Bonds and charges are not needed, so records
  whose valences RDKit refuses (QM9's SDF file has hundreds) can be used.
- 3-D without hydrogens, or with hydrogens only on N, O and S: the missing hydrogens are added at
  positions that fit the geometry; the given atoms do not move.
- 2-D, or all atoms at the same position: a drawing, which needs a conformer search.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from .conformers import atoms
from .graph import graph
from .rdkit_log import quiet, reason
from .state import of_mol
from .structure import GIVEN, HYDROGENS, Geometry

if TYPE_CHECKING:
    from rdkit import Chem


def is_solid(mol: Chem.Mol) -> bool:
    """Whether the molecule's first conformer is a 3-D geometry, or it has no atoms."""
    if not mol.GetNumConformers() or not mol.GetConformer().Is3D():
        return mol.GetNumAtoms() == 0  # without atoms no conformer search is needed
    pos = mol.GetConformer().GetPositions()
    return len(pos) < 2 or bool(np.ptp(pos, axis=0).max() > 0)


def solid(mol: Chem.Mol) -> Geometry:
    """The molecule's own coordinates, with missing hydrogens added.

    Raises InputError if it has no hydrogens and RDKit cannot add them.
    """
    from rdkit import Chem

    said = of_mol(mol)
    explicit = any(atom.GetAtomicNum() == 1 for atom in mol.GetAtoms())
    with quiet():
        whole = Chem.Mol(mol)
        try:
            Chem.SanitizeMol(whole)
            if not _lacks_hydrogens(whole):
                return Geometry(*atoms(mol), GIVEN, *said, graph(whole))
            whole = Chem.AddHs(whole, addCoords=True)
            return Geometry(*atoms(whole), HYDROGENS, *said, graph(whole))
        except (RuntimeError, ValueError) as error:
            if explicit:
                return Geometry(*atoms(mol), GIVEN, *said)
            raise InputError(
                f"it has no hydrogens and RDKit cannot add them ({reason(str(error))}): "
                "correct its bonds and charges, or give it with hydrogens"
            ) from None


def _lacks_hydrogens(mol: Chem.Mol) -> bool:
    """Whether hydrogens are missing: on all carbons with open valences, or everywhere.

    A record with hydrogens on carbons is complete: its open valences are radicals or charges that
    were not written down.
    """
    bearers = [
        atom for atom in mol.GetAtoms() if any(n.GetAtomicNum() == 1 for n in atom.GetNeighbors())
    ]
    if any(atom.GetAtomicNum() == 6 for atom in bearers):
        return False
    due = [atom for atom in mol.GetAtoms() if atom.GetTotalNumHs() > 0]
    return any(atom.GetAtomicNum() == 6 for atom in due) or (not bearers and bool(due))
