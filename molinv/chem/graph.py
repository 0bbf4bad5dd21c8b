"""The bond graph of a molecule as integer codes of atoms and of pairs of atoms.

Code 0 means "unknown", so a structure without bonds has only zeros. `atom_table` and `pair_table`
turn codes into one-hot features.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float32, UInt8

from ..errors import InputError
from .rdkit_log import quiet

if TYPE_CHECKING:
    from rdkit import Chem

# the columns of atom codes, and the number of values of each
ATOM = {
    "formal charge": 7,  # -3 or less to 3 or more
    "aromatic": 2,
    "hybridisation": 4,  # sp, sp2, sp3, any other
    "smallest ring": 6,  # none, 3, 4, 5, 6, 7 or more atoms
    "chirality": 3,  # none, R, S
    "hydrogens": 5,
    "neighbours": 7,
    "unpaired electrons": 3,
}
TYPES = 5  # single, double, triple, aromatic, any other
# pair codes: the same atom, another fragment, and from FIRST on 2, 3, ... bonds between them
SELF, APART, FIRST = 1, 2, 3
FARTHEST = 7  # bonds; larger distances have the same code
BONDED = FIRST + FARTHEST - 1  # codes from here on are bonds: type, conjugation, ring


class Graph(NamedTuple):
    """Codes of the N atoms, with one column for each entry of `ATOM`, and of all pairs."""

    atoms: UInt8[np.ndarray, "N 8"]
    pairs: UInt8[np.ndarray, "N N"]


def graph(mol: Chem.Mol) -> Graph:
    """The codes of a sanitised RDKit molecule with explicit hydrogens."""
    from rdkit import Chem

    n, rings = mol.GetNumAtoms(), mol.GetRingInfo()
    sp = {
        Chem.HybridizationType.SP: 1,
        Chem.HybridizationType.SP2: 2,
        Chem.HybridizationType.SP3: 3,
    }
    atoms = np.zeros((n, len(ATOM)), np.uint8)
    for i, atom in enumerate(mol.GetAtoms()):
        size = rings.MinAtomRingSize(i)
        cip = atom.GetPropsAsDict().get("_CIPCode", "") if atom.HasProp("_CIPCode") else ""
        atoms[i] = (
            min(max(atom.GetFormalCharge(), -3), 3) + 4,
            1 + atom.GetIsAromatic(),
            sp.get(atom.GetHybridization(), 4),
            1 + (0 if size == 0 else min(size, 7) - 2),
            1 + {"R": 1, "S": 2}.get(cip, 0),
            1 + min(atom.GetTotalNumHs(includeNeighbors=True), 4),
            1 + min(atom.GetDegree(), 6),
            1 + min(atom.GetNumRadicalElectrons(), 2),
        )
    apart = Chem.GetDistanceMatrix(mol) if n else np.zeros((0, 0))
    pairs = FIRST - 2 + np.minimum(apart, FARTHEST)
    pairs[apart > n] = APART  # RDKit's distance between fragments is 1e8
    np.fill_diagonal(pairs, SELF)
    kinds = [Chem.BondType.SINGLE, Chem.BondType.DOUBLE, Chem.BondType.TRIPLE]
    known = {kind: k for k, kind in enumerate([*kinds, Chem.BondType.AROMATIC])}
    for bond in mol.GetBonds():
        i, j = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        kind = known.get(bond.GetBondType(), TYPES - 1)
        code = BONDED + 4 * kind + 2 * bond.GetIsConjugated() + bond.IsInRing()
        pairs[i, j] = pairs[j, i] = code
    return Graph(atoms, pairs.astype(np.uint8))


def graph_of(mol: Chem.Mol) -> Graph | None:
    """`graph` of a molecule after adding missing hydrogens; None if RDKit refuses it."""
    from rdkit import Chem

    with quiet():
        try:
            mol = Chem.Mol(mol)
            Chem.SanitizeMol(mol)
            return graph(Chem.AddHs(mol))
        except (RuntimeError, ValueError):
            return None


def graph_of_smiles(smiles: str) -> Graph | None:
    """`graph_of` a SMILES, with atoms in the SMILES's order; None if it cannot be read."""
    from .conformers import parse_smiles

    try:
        return graph_of(parse_smiles(smiles))
    except InputError:
        return None


def molecule(z: np.ndarray, graph: Graph) -> Chem.Mol:
    """The sanitised RDKit molecule of a bond graph; raises ValueError if RDKit refuses it."""
    from rdkit import Chem

    kinds = (Chem.BondType.SINGLE, Chem.BondType.DOUBLE, Chem.BondType.TRIPLE)
    types = (*kinds, Chem.BondType.AROMATIC, Chem.BondType.DATIVE)
    made = Chem.RWMol()
    for number, codes in zip(z.tolist(), graph.atoms.tolist(), strict=True):
        atom = Chem.Atom(number)
        atom.SetFormalCharge(codes[0] - 4)
        atom.SetNumRadicalElectrons(codes[-1] - 1)
        atom.SetNoImplicit(True)
        atom.SetIsAromatic(codes[1] == 2)
        made.AddAtom(atom)
    for i, j in np.argwhere(np.triu(graph.pairs) >= BONDED).tolist():
        kind = types[(int(graph.pairs[i, j]) - BONDED) // 4]
        made.AddBond(i, j, kind)
        made.GetBondBetweenAtoms(i, j).SetIsAromatic(kind == Chem.BondType.AROMATIC)
    Chem.SanitizeMol(made)
    return made.GetMol()


def atom_table() -> list[Float32[np.ndarray, "codes k"]]:
    """One-hot tables (codes, k), one for each column of atom codes; row 0 is all 0."""
    return [np.eye(values + 1, dtype=np.float32)[:, 1:] for values in ATOM.values()]


def pair_table() -> Float32[np.ndarray, "codes k"]:
    """A table (codes, k) of 0 and 1 for each pair code.

    Its columns are: the same atom, another fragment, 1 to 7 bonds apart, the bond's type,
    conjugated, in a ring.
    """
    table = np.zeros((BONDED + 4 * TYPES, 2 + FARTHEST + TYPES + 2), np.float32)
    table[SELF, 0] = table[APART, 1] = 1
    for bonds in range(2, FARTHEST + 1):
        table[FIRST - 2 + bonds, 1 + bonds] = 1
    for code in range(4 * TYPES):
        kind, conjugated, ring = code // 4, code // 2 % 2, code % 2
        table[BONDED + code, 2] = table[BONDED + code, 2 + FARTHEST + kind] = 1
        table[BONDED + code, -2:] = conjugated, ring
    return table


ATOM_SIZE = sum(ATOM.values())
PAIR_SIZE = pair_table().shape[1]
