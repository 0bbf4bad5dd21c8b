"""3-D conformers, with hydrogens, from a SMILES or an RDKit molecule."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from .rdkit_log import quiet, reason
from .structure import Coordinates

if TYPE_CHECKING:
    from rdkit import Chem

MOST_CONFORMERS = 1000  # for one molecule
LONGEST = 5_000  # characters of a SMILES; RDKit can crash on 12,000
MOST_ATOMS = 500  # with hydrogens; for more, one search takes minutes
SECONDS = 60  # limit for one embedding attempt
WORK = 3 * 10**7  # limit on pairs of atoms times steps of a relaxation: about a second
UNREADABLE = "cannot read the SMILES"
INCHI = "InChI="  # prefix of an InChI, which is accepted wherever a SMILES is
GAP = 3.0  # angstrom between the fragments of a salt before relaxation


def embed(mol_or_smiles: Chem.Mol | str, seed: int = 0) -> Coordinates:
    """One low-energy conformer: z (N,) and pos (N, 3) in angstrom; see `embed_many`."""
    z, pos = embed_many(mol_or_smiles, seed)
    return z, pos[0]


def embed_many(mol_or_smiles: Chem.Mol | str, seed: int = 0, conformers: int = 1) -> Coordinates:
    """Several low-energy conformers of a molecule.

    Returns z (N,) int64 and pos (c, N, 3) float64 in angstrom: the molecule's atoms in their
    original order, then the added hydrogens. c is at least 1, but less than `conformers` if some
    searches fail. The same molecule and seed give the same coordinates, and the first conformer
    does not depend on `conformers`. Unspecified stereo centres get one of the possible
    configurations. Molecules of several fragments, such as salts, are allowed.

    Coordinates are embedded by ETKDGv3 (Riniker and Landrum 2015; Wang et al. 2020), starting
    from random coordinates if it fails. They are relaxed with MMFF94, or with UFF if an atom has
    no MMFF94 type; without parameters of either, they are not relaxed.

    Raises InputError for an empty or unreadable SMILES, a dummy atom, more than 500 atoms, and
    a molecule that cannot be embedded.
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
    """Raise InputError unless the number of conformers is from 1 to 1000."""
    if not 1 <= conformers <= MOST_CONFORMERS:
        raise InputError(f"expected 1 to {MOST_CONFORMERS} conformers, got {conformers}")


def conformer_seed(seed: int, number: int) -> int:
    """The seed of one conformer. RDKit would use multiples of the seed, which are all 0 for 0."""
    if number == 0:
        return seed
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0] >> np.uint32(1))


def check_seed(seed: int) -> None:
    """Raise InputError for a seed that RDKit would read as "not reproducible" or refuse."""
    if not 0 <= seed < 2**31:
        raise InputError(f"expected a seed from 0 to {2**31 - 1}, got {seed}")


def parse_smiles(smiles: str) -> Chem.Mol:
    """The RDKit molecule of a SMILES or InChI; raises InputError with RDKit's reason."""
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
    """The SMILES of an InChI; a SMILES is returned unchanged. Raises as `parse_smiles`."""
    if not text.startswith(INCHI):
        return text
    from rdkit import Chem

    return Chem.MolToSmiles(parse_smiles(text))


def refuse_dummies(mol: Chem.Mol) -> None:
    """Raise InputError if an atom is a placeholder ('*' or an R group), not an element."""
    for atom in mol.GetAtoms():
        if atom.GetAtomicNum() == 0:
            raise InputError(
                f"atom {atom.GetIdx() + 1} is a placeholder ('*' or an R group), not an "
                "element: replace it with the group it stands for"
            )


def atoms(mol: Chem.Mol) -> Coordinates:
    """z (N,) and pos (N, 3) of a molecule with a conformer; no atoms need no conformer."""
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
    """Move fragments side by side, because RDKit embeds each of them about the origin."""
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
        # assigns atom types once; MMFFHasAllMoleculeParams and MMFFOptimizeMolecule each would
        if types := fields.MMFFGetMoleculeProperties(mol):
            field = fields.MMFFGetMoleculeForceField(mol, types, ignoreInterfragInteractions=False)
        elif fields.UFFHasAllMoleculeParams(mol):
            field = fields.UFFGetMoleculeForceField(mol, ignoreInterfragInteractions=False)
        else:
            return
        field.Initialize()
        field.Minimize(maxIts=min(1000, WORK // mol.GetNumAtoms() ** 2))
    except (RuntimeError, ValueError):
        return  # keep the embedding unrelaxed
