"""Molecules as they come from 3-D files without hydrogens: heavy atoms, and RDKit's hydrogens."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int64

from ..chem.conformers import atoms, parse_smiles
from ..chem.graph import graph_of_smiles
from ..chem.rdkit_log import quiet
from ..chem.structure import HYDROGENS, KINDS, Coordinates, check
from ..errors import InputError
from ..screen import messages
from . import storage
from .extras import Graphs
from .molecules import Molecules
from .qm9 import cache_root
from .ragged import pointers

if TYPE_CHECKING:
    from rdkit import Chem

MANY = 20_000  # molecules; for a larger set, bond graphs come from `bond_graphs`
BONDED = 1.25  # largest distance of bonded atoms, over the sum of their covalent radii


def hydrogens_added_copies(
    molecules: Molecules, chosen: Int64[np.ndarray, " m"]
) -> tuple[Molecules, Int64[np.ndarray, " k"]] | None:
    """The chosen molecules with RDKit's hydrogens at their given heavy atoms, and their indices.

    RDKit adds the hydrogens from the bonds of the molecule's SMILES (Chem.AddHs with
    coordinates), as `chem.read` does for a file without hydrogens. A molecule is left out if it
    has no hydrogens or no SMILES, or if its SMILES has other atoms or bonds than the coordinates.
    Returns None if every molecule is left out. Results for a large set are cached.
    """
    some = molecules if len(chosen) == len(molecules) else molecules.take(chosen)
    if len(some) <= MANY:
        arrays = _added(some)
    else:
        from rdkit import rdBase

        digest = hashlib.sha256(rdBase.rdkitVersion.encode())
        for array in (some.z, some.pos, some.ptr, some.smiles.text, some.smiles.ptr):
            digest.update(np.ascontiguousarray(array).tobytes())
        folder = cache_root() / "hydrogens" / digest.hexdigest()[:32]
        if not folder.exists():
            storage.write(folder, _added(some), {})
        arrays, _ = storage.read(folder)
    if not len(arrays["index"]):
        return None
    structures = [
        (arrays["z"][start:end], arrays["pos"][start:end])
        for start, end in pairwise(arrays["ptr"].tolist())
    ]
    index = np.asarray(chosen)[arrays["index"]]
    return described(molecules, index, Molecules.from_arrays(structures), HYDROGENS), index


def _added(some: Molecules) -> dict[str, np.ndarray]:
    """Flat z and pos, ptr, and the index of each molecule that could be completed."""
    from rich.progress import track

    screen, made, kept = messages(), [], []
    how: Any = {"console": screen, "transient": True, "disable": not screen.is_terminal}
    for i in track(range(len(some)), "adding hydrogens", **how):
        if (found := with_hydrogens(some.smiles[i], *some.molecule(i))) is not None:
            made.append(found)
            kept.append(i)
    return {
        "index": np.array(kept, np.int64),
        "z": np.concatenate([np.zeros(0), *(z for z, _ in made)]).astype(np.uint8),
        "pos": np.concatenate([np.zeros((0, 3)), *(p for _, p in made)]).astype(np.float32),
        "ptr": pointers(np.array([len(z) for z, _ in made], np.int64)),
    }


def described(
    molecules: Molecules, index: Int64[np.ndarray, " k"], made: Molecules, kind: str
) -> Molecules:
    """The molecules `index` with the geometries `made`, whose atoms are in the SMILES's order."""
    some = molecules.take(index)
    graphs = Graphs.of([graph_of_smiles(s) for s in some.smiles[:]]) if len(index) <= MANY else None
    kinds = np.full(len(index), KINDS.index(kind), np.uint8)
    extras = replace(some.extras, graphs=graphs, kinds=kinds)
    return replace(some, z=made.z, pos=made.pos, ptr=made.ptr, charges=None, extras=extras)


def with_hydrogens(smiles: str, z: np.ndarray, pos: np.ndarray) -> Coordinates | None:
    """The heavy atoms of z (N,), pos (N, 3) in the SMILES's order, followed by RDKit's hydrogens.

    pos in angstrom. None if the SMILES does not describe these atoms, or if z has no hydrogen.
    """
    from rdkit import Chem
    from rdkit.Geometry import Point3D

    heavy = np.flatnonzero(z > 1)
    if not smiles or len(heavy) in (0, len(z)):
        return None
    try:
        mol = parse_smiles(smiles)
    except InputError:
        return None
    with quiet():
        order = _order(mol, z, pos, heavy)
        if order is None:
            return None
        conformer = Chem.Conformer(len(order))
        for index, atom in enumerate(order):
            conformer.SetAtomPosition(index, Point3D(*pos[atom].tolist()))
        Chem.RemoveStereochemistry(mol)  # the coordinates have it
        mol.AddConformer(conformer)
        made = atoms(Chem.AddHs(mol, addCoords=True))
    try:
        check(*made)
    except InputError:
        return None
    return made if np.array_equal(np.sort(made[0]), np.sort(z)) else None


def _order(mol: Chem.Mol, z: np.ndarray, pos: np.ndarray, heavy: np.ndarray) -> np.ndarray | None:
    """The index in z, pos of each heavy atom of the SMILES; None if the molecules differ."""
    from ase.data import covalent_radii
    from rdkit import Chem

    if mol.GetNumAtoms() != len(heavy) or any(a.GetAtomicNum() == 1 for a in mol.GetAtoms()):
        return None
    numbers, at, radii = z[heavy].astype(int), pos[heavy], covalent_radii[z[heavy]]
    ratio = np.linalg.norm(at[:, None] - at, axis=-1) / (radii[:, None] + radii)
    bonded = np.triu(ratio < BONDED, 1)
    # each hydrogen belongs to the heavy atom that it is closest to
    apart = np.linalg.norm(pos[z == 1][:, None] - at, axis=-1) / radii
    hydrogens = np.bincount(apart.argmin(1), minlength=len(heavy))
    there = Chem.RWMol()
    for number, count in zip(numbers.tolist(), hydrogens.tolist(), strict=True):
        there.AddAtom(_labelled(number, count))
    for i, j in np.argwhere(bonded).tolist():
        there.AddBond(i, j, Chem.BondType.SINGLE)
    asked = Chem.RWMol()
    for atom in mol.GetAtoms():
        asked.AddAtom(_labelled(atom.GetAtomicNum(), atom.GetTotalNumHs()))
    for bond in mol.GetBonds():
        asked.AddBond(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx(), Chem.BondType.SINGLE)
    match = there.GetSubstructMatch(asked)
    return heavy[list(match)] if match else None


def _labelled(number: int, hydrogens: int) -> Chem.Atom:
    """An atom that matches only atoms of its element with the same number of hydrogens."""
    from rdkit import Chem

    made = Chem.Atom(number)
    made.SetIsotope(hydrogens + 1)
    return made
