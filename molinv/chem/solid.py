"""Whether an RDKit molecule's own coordinates are a geometry, and what they lack.

- 3-D with its hydrogens: exactly as they stand. Bonds and charges play no part then, so a
  record whose valences RDKit refuses (QM9's own SDF has hundreds) is as good as any.
- 3-D without hydrogens, or with those on N, O and S only: the missing hydrogens are added
  where the geometry asks for them; the given atoms stay where they are.
- 2-D, or all atoms in one place: a drawing. Hydrogens and a conformer search.
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
    if not mol.GetNumConformers() or not mol.GetConformer().Is3D():
        return mol.GetNumAtoms() == 0  # nothing to search a conformer for
    pos = mol.GetConformer().GetPositions()
    return len(pos) < 2 or bool(np.ptp(pos, axis=0).max() > 0)


def solid(mol: Chem.Mol) -> Geometry:
    """The record's own coordinates, with the hydrogens it left out."""
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
