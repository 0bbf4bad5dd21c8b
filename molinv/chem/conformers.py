"""3-D conformers from a SMILES or an RDKit molecule, hydrogens included."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from .rdkit_log import quiet, reason
from .structure import Coordinates

if TYPE_CHECKING:
    from rdkit import Chem

MOST_CONFORMERS = 1000  # of one molecule
LONGEST = 5_000  # characters of a SMILES; RDKit can crash on 12,000
MOST_ATOMS = 500  # with hydrogens; beyond it one search takes minutes
SECONDS = 60  # for one attempt at an embedding
WORK = 3 * 10**7  # pairs of atoms over a relaxation's steps: about a second
UNREADABLE = "cannot read the SMILES"
INCHI = "InChI="  # how an InChI begins; it can stand wherever a SMILES can
GAP = 3.0  # angstrom between the fragments of a salt before they relax


def embed(mol_or_smiles: Chem.Mol | str, seed: int = 0) -> Coordinates:
    """Coordinates of one low-energy conformer: z (N,) and pos (N, 3); see `embed_many`."""
    z, pos = embed_many(mol_or_smiles, seed)
    return z, pos[0]


def embed_many(mol_or_smiles: Chem.Mol | str, seed: int = 0, conformers: int = 1) -> Coordinates:
    """Coordinates of several low-energy conformers.

    Returns z (N,) int64 and pos (c, N, 3) float64 in angstrom: the molecule's atoms in their
    own order, then the hydrogens that were missing. The same molecule and seed give the
    same coordinates, and the first of them whatever the number asked for; stereo centres that
    are not specified come out one way or the other. c is below `conformers` where some of the
    searches fail, and 0 never. Salts and complexes of several fragments are allowed.

    ETKDGv3 (Riniker and Landrum 2015; Wang et al. 2020), from random coordinates where it
    fails, then MMFF94, or UFF where an atom has no MMFF94 type; where neither has
    parameters the embedding stays as it is.

    Raises InputError for an empty or unreadable SMILES, a dummy atom, more than 500 atoms,
    and a molecule that cannot be embedded.
    """
    from rdkit import Chem

    check_seed(seed)
    check_conformers(conformers)
    mol = parse_smiles(mol_or_smiles) if isinstance(mol_or_smiles, str) else mol_or_smiles
    refuse_dummies(mol)
    with quiet():
        try:
            mol = Chem.AddHs(mol)
        except (RuntimeError, ValueError) as error:
            raise InputError(f"RDKit could not add hydrogens: {reason(str(error))}") from None
    if mol.GetNumAtoms() > MOST_ATOMS:
        raise InputError(
            f"too large for a conformer search: {mol.GetNumAtoms()} atoms with hydrogens, at "
            f"most {MOST_ATOMS}; give 3-D coordinates in an .sdf or .xyz file"
        )
    found = []
    with quiet():
        for number in range(conformers if mol.GetNumAtoms() else 0):
            try:
                _embed(mol, conformer_seed(seed, number))
            except InputError:
                if number == 0:
                    raise
                continue
            _relax(mol)
            found.append(mol.GetConformer().GetPositions())
    return atoms(mol)[0], np.stack(found) if found else np.empty((1, 0, 3))


def check_conformers(conformers: int) -> None:
    """Raise InputError for a number of conformers that cannot be made."""
    if not 1 <= conformers <= MOST_CONFORMERS:
        raise InputError(f"expected 1 to {MOST_CONFORMERS} conformers, got {conformers}")


def conformer_seed(seed: int, number: int) -> int:
    """The seed of one conformer; RDKit's own of several are multiples of the seed: all 0 of 0."""
    if number == 0:
        return seed
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0] >> np.uint32(1))


def check_seed(seed: int) -> None:
    """Raise InputError for a seed that RDKit would read as "not reproducible" or refuse."""
    if not 0 <= seed < 2**31:
        raise InputError(f"expected a seed from 0 to {2**31 - 1}, got {seed}")


def parse_smiles(smiles: str) -> Chem.Mol:
    """The molecule of a SMILES or InChI; InputError with RDKit's reason where there is none."""
    from rdkit import Chem

    if not smiles.strip():
        raise InputError("expected a SMILES, got an empty string")
    if len(smiles) > LONGEST:
        raise InputError(
            f"a SMILES of {len(smiles):,} characters is too long: expected at most {LONGEST:,}"
        )
    inchi = smiles.startswith(INCHI)
    with quiet() as why:
        try:
            mol = Chem.MolFromInchi(smiles) if inchi else Chem.MolFromSmiles(smiles)
            said = why()
        except (RuntimeError, ValueError) as error:
            mol, said = None, reason(str(error))
    if mol is None:
        shown = smiles if len(smiles) <= 60 else smiles[:60] + "..."
        what = UNREADABLE.replace("SMILES", "InChI") if inchi else UNREADABLE
        raise InputError(f"{what} {shown!r} (RDKit: {said or 'no reason given'}): correct it")
    return mol


def as_smiles(text: str) -> str:
    """The SMILES of an InChI, a SMILES as it is; raises InputError as `parse_smiles`."""
    if not text.startswith(INCHI):
        return text
    from rdkit import Chem

    return Chem.MolToSmiles(parse_smiles(text))


def refuse_dummies(mol: Chem.Mol) -> None:
    """Raise InputError where an atom is a placeholder ('*', an R group), not an element."""
    for atom in mol.GetAtoms():
        if atom.GetAtomicNum() == 0:
            raise InputError(
                f"atom {atom.GetIdx() + 1} is a placeholder ('*' or an R group), not an "
                "element: replace it with the group it stands for"
            )


def atoms(mol: Chem.Mol) -> Coordinates:
    """(z, pos) of a molecule that has a conformer, (0,) and (0, 3) of one without atoms."""
    z = np.array([atom.GetAtomicNum() for atom in mol.GetAtoms()], dtype=np.int64)
    pos = mol.GetConformer().GetPositions() if len(z) else np.empty((0, 3))
    return z, np.asarray(pos, dtype=np.float64)


def _embed(mol: Chem.Mol, seed: int) -> None:
    from rdkit import Chem
    from rdkit.Chem import rdDistGeom

    settings = rdDistGeom.ETKDGv3()
    settings.randomSeed = seed
    settings.timeout = SECONDS
    for settings.useRandomCoords in (False, True):
        try:
            if rdDistGeom.EmbedMolecule(mol, settings) == 0:
                break
        except (RuntimeError, ValueError):
            continue
    else:
        raise InputError(
            "RDKit found no 3-D coordinates for this molecule: check its stereo centres and "
            "rings, or give coordinates in an .sdf or .xyz file"
        )
    _spread(mol, Chem.GetMolFrags(mol))


def _spread(mol: Chem.Mol, fragments: tuple[tuple[int, ...], ...]) -> None:
    """Fragments are embedded one by one, all about the origin: set them side by side."""
    if len(fragments) < 2:
        return
    conformer = mol.GetConformer()
    pos, edge = conformer.GetPositions(), 0.0
    for fragment in map(list, fragments):
        pos[fragment, 0] += edge - pos[fragment, 0].min()
        edge = pos[fragment, 0].max() + GAP
    for index, point in enumerate(pos):
        conformer.SetAtomPosition(index, point.tolist())


def _relax(mol: Chem.Mol) -> None:
    from rdkit.Chem import rdForceFieldHelpers as fields

    try:
        # Types the atoms once; MMFFHasAllMoleculeParams and MMFFOptimizeMolecule do so each.
        if types := fields.MMFFGetMoleculeProperties(mol):
            field = fields.MMFFGetMoleculeForceField(mol, types, ignoreInterfragInteractions=False)
        elif fields.UFFHasAllMoleculeParams(mol):
            field = fields.UFFGetMoleculeForceField(mol, ignoreInterfragInteractions=False)
        else:
            return
        field.Initialize()
        field.Minimize(maxIts=min(1000, WORK // mol.GetNumAtoms() ** 2))
    except (RuntimeError, ValueError):
        return  # the embedding is a structure already
