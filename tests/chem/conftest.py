"""Files and molfiles for the chemistry tests."""

from __future__ import annotations

import pytest
from rdkit import Chem
from rdkit.Chem import rdDepictor, rdDistGeom


@pytest.fixture
def write(tmp_path):
    """write(name, text or bytes) -> path as a string; text is written unchanged, in UTF-8."""

    def writer(name: str, content: str | bytes) -> str:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return writer


@pytest.fixture
def block():
    """block(smiles, title, ...) -> a molfile as RDKit writes it."""

    def make(smiles: str, title: str = "", *, solid=True, hydrogens=True, v3000=False) -> str:
        mol = Chem.MolFromSmiles(smiles)
        if solid:
            mol = Chem.AddHs(mol)
            assert rdDistGeom.EmbedMolecule(mol, randomSeed=7) == 0
            mol = mol if hydrogens else Chem.RemoveHs(mol)
        else:
            rdDepictor.Compute2DCoords(mol)
        mol.SetProp("_Name", title)
        return Chem.MolToMolBlock(mol, forceV3000=v3000)

    return make


@pytest.fixture
def sdf(write):
    """sdf(blocks...) -> path of an .sdf file of these records."""
    return lambda *blocks: write("set.sdf", "".join(b + "$$$$\n" for b in blocks))
