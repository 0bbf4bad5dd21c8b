"""SDF and molfiles."""

import re

import numpy as np
import pytest
from rdkit import Chem

from molinv.chem import Rejected, Structure, embed, read


def one(path) -> Structure:
    (item,) = read([path])
    assert isinstance(item, Structure), item
    return item


def test_a_bad_record_does_not_affect_the_others(sdf, block):
    good = block("CCO", "ethanol")
    path = sdf(
        good,
        good.replace(" O  ", " Xx ", 1).replace("ethanol", "symbol"),
        block("CC(=O)O", "v3000", v3000=True),
        good[:150] + "\n",
        good.replace("\n  1  2  1", "\n  1 99  1").replace("ethanol", "bond"),
        block("*CC", "star"),
        "",
        good,
    )
    items = list(read([path]))
    assert [i.source.rsplit(":", 1)[1] for i in items] == [str(n) for n in range(1, 9)]
    assert [isinstance(item, Structure) for item in items] == [
        *(True, False, True, False),
        *(False, False, False, True),
    ]
    assert [item.name for item in items] == [
        *("ethanol", "symbol", "v3000", "ethanol", "bond", "star", "set-7", "ethanol"),
    ]
    lines = open_lines(path)
    starts = [1] + [n + 2 for n, line in enumerate(lines) if line == "$$$$"]
    for item, start in zip(items, starts, strict=False):
        if isinstance(item, Rejected):
            assert item.reason.startswith(f"record at line {start}: ")
    assert "'Xx' not found" in items[1].reason
    assert "placeholder" in items[5].reason


def open_lines(path):
    with open(path) as file:
        return file.read().split("\n")


def test_line_numbers_in_reasons_are_those_of_the_file(sdf, block):
    good = block("CCO")
    path = sdf(good, re.sub(r"\n.{10}(.{20} O )", r"\n       nan\1", good))
    bad = next(item for item in read([path]) if isinstance(item, Rejected))
    where = next(n for n, line in enumerate(open_lines(path), 1) if "nan" in line)
    assert f"on line {where})" in bad.reason


@pytest.mark.parametrize("v3000", [False, True])
def test_three_dimensional_records_are_used_as_given(write, block, v3000):
    text = block("C[NH3+].[Cl-]", v3000=v3000)
    item = one(write("salt.mol", text))
    mol = Chem.MolFromMolBlock(text, removeHs=False)
    assert item.z.tolist() == [a.GetAtomicNum() for a in mol.GetAtoms()]
    np.testing.assert_array_equal(item.pos, mol.GetConformer().GetPositions())
    assert not item.embedded
    assert item.name == "salt-1"


def test_windows_line_ends(write, block):
    item = one(write("a.sdf", block("CCO", "x").replace("\n", "\r\n")))
    assert (item.name, len(item.z), item.embedded) == ("x", 9, False)


@pytest.mark.parametrize("smiles", ["c1ccccc1O", "C[C@H](N)C(=O)O", "CC(=O)[O-].[Na+]", "[CH3]"])
def test_drawings_get_hydrogens_and_a_conformer(write, block, smiles):
    item = one(write("flat.sdf", block(smiles, solid=False)))
    assert item.embedded
    expected, _ = embed(smiles)
    assert sorted(item.z) == sorted(expected)
    assert len(item.z) < 2 or np.linalg.matrix_rank(np.round(item.pos - item.pos[0], 6)) >= 2


def test_a_drawings_wedges_become_stereo(write, block):
    def volume(smiles):
        mol = Chem.MolFromSmiles(smiles)
        p = one(write("w.mol", block(smiles, solid=False))).pos
        assert [a.GetSymbol() for a in mol.GetAtoms()][:4] == ["N", "C", "C", "C"]
        return np.dot(p[0] - p[1], np.cross(p[2] - p[1], p[3] - p[1]))

    assert volume("N[C@@H](C)C(=O)O") * volume("N[C@H](C)C(=O)O") < 0


def test_all_atoms_at_one_position_is_a_drawing_too(write, block):
    lines = block("CCO", solid=False).split("\n")
    zeros = "    0.0000    0.0000    0.0000 "
    lines[1] = lines[1].replace("2D", "3D")
    lines[4:7] = [zeros + line[31:] for line in lines[4:7]]
    item = one(write("zero.mol", "\n".join(lines)))
    assert item.embedded
    assert len(item.z) == 9


def test_hydrogens_are_added_to_a_solid_record_without_any(write, block):
    bare = block("CCO", hydrogens=False)
    item = one(write("bare.mol", bare))
    assert not item.embedded
    assert len(item.z) == 9
    given = Chem.MolFromMolBlock(bare).GetConformer().GetPositions()
    np.testing.assert_array_equal(item.pos[:3], given)


def test_hydrogens_are_added_where_only_the_polar_ones_are_given(write, block):
    mol = Chem.MolFromMolBlock(block("CCO"), removeHs=False)
    polar = Chem.RWMol(mol)
    for index in range(mol.GetNumAtoms() - 1, -1, -1):
        atom = mol.GetAtomWithIdx(index)
        if atom.GetAtomicNum() == 1 and atom.GetNeighbors()[0].GetAtomicNum() == 6:
            polar.RemoveAtom(index)
    assert polar.GetNumAtoms() == 4
    item = one(write("polar.mol", Chem.MolToMolBlock(polar)))
    assert len(item.z) == 9
    assert not item.embedded


def test_an_open_valence_beside_other_hydrogens_stays_open(write, block):
    """A methyl radical, and nitromethane without charges, as programs without bond orders write."""
    radical = re.sub(r"( C  ) .*", r"\1 0  0  0  0  0  0", block("[CH3]"))
    radical = radical.replace("M  RAD  1   1   2\n", "")
    assert Chem.MolFromMolBlock(radical).GetAtomWithIdx(0).GetTotalNumHs() == 4
    assert len(one(write("radical.mol", radical)).z) == 4
    nitro = block("C[N+](=O)[O-]")
    uncharged = "\n".join(line for line in nitro.split("\n") if not line.startswith("M  CHG"))
    assert uncharged != nitro
    assert len(one(write("nitro.mol", uncharged)).z) == 7


def test_bad_valence_without_hydrogens_is_rejected(write, block):
    text = block("FC(F)(F)F", hydrogens=False).replace("\n  1  2  1", "\n  1  2  3")
    (item,) = read([write("a.mol", text)])
    assert isinstance(item, Rejected)
    assert "atom 2 (C)" in item.reason or "atom 1 (F)" in item.reason


@pytest.mark.parametrize("ending", ["", "$$$$\n", "$$$$\n\n\n", "> <y>\n1.0\n\n$$$$\n"])
def test_any_end_of_the_file_gives_one_record(write, block, ending):
    assert one(write("a.sdf", block("C") + ending)).z.tolist() == [6, 1, 1, 1, 1]


def test_a_record_without_atoms_is_rejected(write):
    text = "none\n\n\n  0  0  0  0  0  0  0  0  0  0999 V2000\nM  END\n"
    (item,) = read([write("a.mol", text)])
    assert isinstance(item, Rejected)
    assert "at least one atom" in item.reason
