"""Compound classes of a molecule from its SMILES: rings and functional groups."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from .rdkit_log import quiet

SMARTS = {
    "functional group": {
        "alkene": "[CX3]=[CX3]",
        "alkyne": "C#C",
        "aromatic": "a",
        "nitrile": "C#N",
        "imine or oxime": "[CX3]=[NX2]",
        "carbonyl": "[CX3]=[OX1]",
        "aldehyde": "[CX3;H1,H2]=[OX1]",
        "ketone": "[#6][CX3](=[OX1])[#6]",
        "acid or ester": "[CX3](=[OX1])[OX2]",
        "amide": "[CX3](=[OX1])[NX3]",
        "alcohol": "[OX2H]",
        "ether": "[#6;!$(C=O)][OX2][#6;!$(C=O)]",
        "amine": "[NX3;!$(N-[CX3]=[OX1]);!$(N=*);!$(N#*)]",
        "fluoride": "F",
        "charged atoms": "[+,-]",
        "none of these": "",
    },
    "rings": {
        "no ring": "",
        "one ring": "",
        "two rings": "",
        "three or more rings": "",
        "ring of three": "[r3]",
        "ring of four": "[r4]",
        "bridgehead": "[R3]",
    },
}
RINGS = ("no ring", "one ring", "two rings", "three or more rings")


def classes(smiles: str) -> frozenset[tuple[str, str]]:
    """(kind, class) pairs of a molecule, such as ("rings", "one ring").

    Empty for a SMILES that RDKit cannot read.
    """
    from rdkit import Chem

    with quiet():
        mol = Chem.MolFromSmiles(smiles) if smiles else None
    if mol is None:
        return frozenset()
    found = {key for key, pattern in _patterns().items() if mol.HasSubstructMatch(pattern)}
    if not any(what == "functional group" for what, _ in found):
        found.add(("functional group", "none of these"))
    count = mol.GetNumBonds() - mol.GetNumAtoms() + len(Chem.GetMolFrags(mol))
    return frozenset(found | {("rings", RINGS[min(count, 3)])})


@lru_cache(maxsize=1)
def _patterns() -> dict[tuple[str, str], Any]:
    from rdkit import Chem

    each = [(what, name, text) for what, names in SMARTS.items() for name, text in names.items()]
    return {(what, name): Chem.MolFromSmarts(text) for what, name, text in each if text}
