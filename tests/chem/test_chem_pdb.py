"""PDB files: elements and coordinates are read unchanged; missing hydrogens are refused."""

import gzip

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import rdDistGeom
from tiny_model import tiny_model

from molinv import InputError
from molinv.chem import Rejected, Structure, embed, read
from molinv.cli import main
from molinv.datasets.molecules import Target
from molinv.datasets.own import read_own
from molinv.pretrained.choose import choose

WATER = """HETATM    1  O   HOH A   1       0.000   0.000   0.119  1.00  0.00           O
HETATM    2  H1  HOH A   1       0.000   0.763  -0.477  1.00  0.00           H
HETATM    3  H2  HOH A   1       0.000  -0.763  -0.477  1.00  0.00           H
"""


def pdb(smiles: str, without=()) -> str:
    """A PDB file from RDKit, without the hydrogens on the given elements."""
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    rdDistGeom.EmbedMolecule(mol, randomSeed=0)
    gone = {
        atom.GetIdx()
        for atom in mol.GetAtoms()
        if atom.GetAtomicNum() == 1 and atom.GetNeighbors()[0].GetSymbol() in without
    }
    lines = [x for x in Chem.MolToPDBBlock(mol).splitlines() if x.startswith("HETATM")]
    return "".join(f"{line}\n" for i, line in enumerate(lines) if i not in gone)


def test_elements_and_coordinates_are_a_given_geometry(tmp_path):
    path = tmp_path / "w.pdb"
    path.write_text(f"REMARK water\n{WATER}CONECT    1    2    3\nEND\n")
    (item,) = read(path)
    assert isinstance(item, Structure)
    assert (item.name, item.source, item.kind) == ("w-1", f"{path}:1", "given")
    assert item.z.tolist() == [8, 1, 1]
    assert item.pos[1].tolist() == [0, 0.763, -0.477]
    packed = tmp_path / "w.pdb.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    (again,) = read(packed)
    assert np.array_equal(again.pos, item.pos)


def test_every_model_is_a_molecule_with_the_sum_of_its_atoms_charges(tmp_path):
    path = tmp_path / "a.pdb"
    text = "".join(f"MODEL        {i}\n{b}ENDMDL\n" for i, b in enumerate((WATER, pdb("C[NH3+]"))))
    path.write_text(text + "END\n")
    water, ion = read(path)
    assert [(len(m.z), m.charge) for m in (water, ion)] == [(3, None), (8, 1)]
    assert [m.name for m in (water, ion)] == ["a-1", "a-2"]


@pytest.mark.parametrize(
    ("smiles", "without", "lacks"),
    [
        ("CCO", ("C", "O"), True),
        ("CCO", ("C",), True),
        ("CC(=O)NCC(=O)O", ("C",), True),
        ("c1ccccc1N", ("C",), True),
        ("NC(N)=O", (), False),  # its carbon has no hydrogens
        ("OC(=O)C(F)(F)F", (), False),
        ("c1ccccc1N", (), False),
    ],
)
def test_a_model_without_hydrogens_is_rejected(tmp_path, smiles, without, lacks):
    path = tmp_path / "a.pdb"
    path.write_text(f"{pdb(smiles, without)}END\n{WATER}END\n")
    first, second = read(path)
    assert isinstance(first, Rejected) == lacks
    assert isinstance(second, Structure)
    if lacks:
        assert first.reason.startswith("it lacks hydrogens, and a PDB file does not say where")


def test_broken_files(tmp_path):
    path = tmp_path / "a.pdb"
    path.write_text(f"{WATER.replace('0.763', 'x.xxx')}END\n{WATER}")
    bad, good = read(path)
    assert "cannot read its atoms (RDKit: " in bad.reason
    assert isinstance(good, Structure)
    path.write_text("HEADER nothing\nEND\n")
    with pytest.raises(InputError, match="expected at least one molecule"):
        list(read(path))


def test_a_line_cut_before_its_coordinates_is_rejected(tmp_path):
    path = tmp_path / "a.pdb"
    path.write_text(f"{WATER}END\n{WATER[:20]}")
    good, bad = read(path)
    assert isinstance(good, Structure)
    assert isinstance(bad, Rejected)
    assert "cannot read its atoms" in bad.reason


def test_predict_takes_pdb_mol2_and_inchi_first(tmp_path, capsys):
    path = tmp_path / "w.pdb"
    path.write_text(WATER)
    model = str(tiny_model(tmp_path / "m"))
    assert main(["predict", model, str(path)]) == 0
    assert "w-1" in capsys.readouterr().out
    for first in (str(path), "gone.pdb", "gone.mol2", "InChI=1S/H2O/h1H2"):
        assert choose([first]) == (None, [first])


def test_pdb_and_mol2_files_are_refused_as_data(tmp_path):
    for name in ("a.pdb", "a.mol2"):
        (tmp_path / name).write_text(WATER)
        with pytest.raises(InputError, match=rf"with values to learn.* `obabel {name} -O a\.sdf`"):
            read_own(tmp_path / name)


def test_an_inchi_is_accepted_wherever_a_smiles_is(tmp_path):
    inchi = Chem.MolToInchi(Chem.MolFromSmiles("OCC(=O)N"))
    smiles = Chem.MolToSmiles(Chem.MolFromInchi(inchi))
    lines = tmp_path / "a.inchi"
    lines.write_text(f"InChI\n{inchi} amide\n")
    table = tmp_path / "a.csv"
    table.write_text(f'id,InChI,y\n1,"{inchi}",2.5\n2,"InChI=1S/none",3\n3,CCO,4\n')
    z, pos = embed(smiles)
    named, argument, row, bad, ethanol = read([lines, inchi, table])
    assert [m.name for m in (named, argument, row, ethanol)] == ["amide", inchi, "1", "3"]
    for item in (named, argument, row):
        assert isinstance(item, Structure)
        assert (item.smiles, item.charge, item.unpaired) == (smiles, 0, 0)
        assert np.array_equal(item.pos, pos)
    assert isinstance(bad, Rejected)
    assert bad.reason.startswith("cannot read the InChI 'InChI=1S/none'")
    own = read_own(table, [Target("y", "")])
    assert own.molecules.y[:, 0].tolist() == [2.5, 4]
    assert own.molecules.smiles[0] == inchi
    assert len(z) == len(own.molecules.molecule(0)[0])


def test_an_inchi_of_a_salt_has_its_charges():
    (item,) = read("InChI=1S/C2H4O2.Na/c1-2(3)4;/h1H3,(H,3,4);/q;+1/p-1")
    assert (item.smiles, item.charge) == ("CC(=O)[O-].[Na+]", 0)
