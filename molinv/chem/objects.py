"""Molecules that are Python objects: `ase.Atoms` and RDKit's `Mol`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from .conformers import embed_many, refuse_dummies
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
    """Whether it is one of these; their libraries load here only if the caller has them loaded."""
    return type(item).__module__.split(".")[0] in ("ase", "rdkit")


def from_object(item: Any, number: int) -> Item:
    """The record of the `number`-th input.

    Atoms are named by their info's name, title or label, else their formula; a Mol by its title,
    else its SMILES. All 3-D conformers of a Mol are taken as one molecule's. Raises InputError
    for an object that is neither.
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
    """What `ase.Atoms` say of charge and unpaired electrons, by `info` or initial values."""
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
    return Geometry(*found, EMBEDDED, *of_mol(mol))
