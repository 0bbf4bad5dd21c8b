"""Molecules given as Python objects: `ase.Atoms` and RDKit's `Mol`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from .conformers import embed_many, refuse_dummies
from .graph import graph_of
from .rdkit_log import quiet, reason
from .solid import is_solid, solid
from .state import Said, in_keys, of_mol
from .structure import (
    EMBEDDED,
    GIVEN,
    PERIODIC,
    Geometry,
    Item,
    Pending,
    ReadOptions,
    Rejected,
    Structure,
    name_in,
    structure_of,
)

if TYPE_CHECKING:
    from ase import Atoms
    from rdkit import Chem


def is_object(item: Any) -> bool:
    """Whether an item is an object of ASE or RDKit; does not import these libraries."""
    return type(item).__module__.split(".")[0] in ("ase", "rdkit")


def from_object(item: Any, number: int) -> Item:
    """The record for an object, the `number`-th input.

    Atoms are named by name, title or label in their info, else by their formula; a Mol is named
    by its title, else by its SMILES. All 3-D conformers of a Mol belong to one structure. Raises
    InputError for any other object.
    """
    from ase import Atoms
    from rdkit import Chem

    source = f"argument {number}"
    if isinstance(item, Atoms):
        return _from_atoms(item, source)
    if isinstance(item, Chem.Mol):
        mol = Chem.Mol(item)
        name = _title(mol) or f"molecule {number}"
        return Pending(name, source, partial(_from_mol, mol, name, source))
    raise InputError(
        f"expected SMILES, paths, ase.Atoms or RDKit Mol, got {type(item).__name__}; convert it"
    )


def _from_atoms(atoms: Atoms, source: str) -> Structure | Rejected:
    name = name_in(atoms.info) or atoms.get_chemical_formula()
    if atoms.pbc.any():
        return Rejected(name, source, PERIODIC)
    pos = atoms.positions.copy()
    return structure_of(name, source, lambda: Geometry(atoms.numbers, pos, GIVEN, *of_atoms(atoms)))


def of_atoms(atoms: Atoms) -> Said:
    """Charge and unpaired electrons of `ase.Atoms`, from `info` or initial values."""
    given = (atoms.arrays.get(name) for name in ("initial_charges", "initial_magmoms"))
    return in_keys(atoms.info, atoms.numbers, *given)


def _title(mol: Chem.Mol) -> str:
    from rdkit import Chem

    with quiet():
        try:
            title = mol.GetProp("_Name").strip() if mol.HasProp("_Name") else ""
            return title or Chem.MolToSmiles(mol)
        except (RuntimeError, ValueError):
            return ""


def _from_mol(mol: Chem.Mol, name: str, source: str, options: ReadOptions) -> Structure | Rejected:
    return structure_of(name, source, lambda: _geometry(mol, options))


def _geometry(mol: Chem.Mol, options: ReadOptions) -> Geometry:
    from rdkit import Chem

    refuse_dummies(mol)
    if is_solid(mol):
        every = [c.GetId() for c in mol.GetConformers() if c.Is3D()]
        made = solid(mol)
        if len(every) < 2:
            return made
        return made._replace(pos=np.stack([solid(Chem.Mol(mol, confId=i)).pos for i in every]))
    with quiet():
        try:
            Chem.SanitizeMol(mol)
        except (RuntimeError, ValueError) as error:
            raise InputError(f"RDKit cannot use it ({reason(str(error))}): correct it") from None
    found = embed_many(mol, options.seed, options.conformers)
    return Geometry(*found, EMBEDDED, *of_mol(mol), graph_of(mol))
