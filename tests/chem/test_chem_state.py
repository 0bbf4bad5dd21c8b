"""Charge and unpaired electrons, from every kind of input or from the electrons' parity."""

import numpy as np
import pytest
from ase import Atoms
from ase.db import connect
from ase.io import write
from ase.io.trajectory import Trajectory
from rdkit import Chem
from tiny_model import tiny_model

from molinv import pretrained
from molinv.chem import Rejected, Structure, read
from molinv.chem.state import of_states, words
from molinv.cli import main
from molinv.predict import Predictor

ETHYL = """ethyl
  own     01010000002D

  2  1  0  0  0  0  0  0  0  0999 V2000
    0.0000    0.0000    0.0000 {}   0  {}  0  0  0  0  0  0  0  0  0  0
    1.5000    0.0000    0.0000 C   0  {}  0  0  0  0  0  0  0  0  0  0
  1  2  1  0
{}M  END
$$$$
"""
V3000 = """methyl
  own     01010000003D

  0  0  0     0  0            999 V3000
M  V30 BEGIN CTAB
M  V30 COUNTS 1 0 0 0 0
M  V30 BEGIN ATOM
M  V30 1 C 0 0 0 0 {}
M  V30 END ATOM
M  V30 END CTAB
M  END
"""
WATER = "O 0 0 0.119\nH 0 0.763 -0.477\nH 0 -0.763 -0.477\n"
HYDROXYL = "O 0 0 0\nH 0 0 0.97\n"


def only(inputs) -> Structure:
    (item,) = read(inputs)
    assert isinstance(item, Structure), item
    return item


def said(item: Structure) -> tuple:
    return item.charge, item.unpaired


@pytest.mark.parametrize(
    ("smiles", "state"),
    [
        ("[O-]C(=O)c1ccccc1", (-1, 0)),
        ("C[NH+]1CCCCC1", (1, 0)),
        ("CC(C)(C)[O-]", (-1, 0)),
        ("CC(=O)CC(C)(C)[CH2]", (0, 1)),
        ("CC(C)CC(=O)[O]", (0, 1)),
        ("C1=CC=C[CH-]1", (-1, 0)),
        ("C1=CC=CC=C[CH+]1", (1, 0)),
        ("[NH3+]CC(=O)[O-]", (0, 0)),
        ("[CH2]C[CH2]", (0, 2)),
        ("[Na+].CC(=O)[O-]", (0, 0)),
        ("[NH4+].[NH4+].[O-]S(=O)(=O)[O-]", (0, 0)),
        ("[Ca+2].[Cl-]", (1, 0)),
        ("[Cu+2]", (2, 1)),  # an odd number of electrons, but no radical in the SMILES
        ("CCO", (0, 0)),
    ],
)
def test_a_smiles_gives_the_state_of_all_its_fragments(smiles, state):
    item = only(smiles)
    assert (said(item), item.state) == (state, state)
    assert said(only(Chem.MolFromSmiles(smiles))) == state


@pytest.mark.parametrize(
    ("element", "codes", "lines", "state"),
    [
        ("C", (0, 4), "", (0, 1)),  # a doublet in the atom block, which RDKit ignores
        ("N", (3, 4), "", (1, 1)),
        ("C", (5, 0), "", (-1, 0)),
        ("N", (3, 4), "M  CHG  1   1   1\n", (1, 0)),  # the atom block is then ignored
        ("C", (4, 0), "M  RAD  1   2   2\n", (0, 1)),
        ("C", (0, 0), "M  RAD  1   2   3\n", (0, 2)),
        ("C", (0, 0), "M  RAD  1   2   1\n", (0, 0)),  # a singlet's electrons are paired
    ],
)
def test_a_mol_block_gives_the_state_in_atom_lines_or_properties(
    tmp_path, element, codes, lines, state
):
    path = tmp_path / "a.sdf"
    path.write_text(ETHYL.format(element, *codes, lines))
    assert said(only(path)) == state


def test_a_radical_in_the_atom_block_has_one_hydrogen_less(tmp_path):
    path = tmp_path / "a.sdf"
    path.write_text(ETHYL.format("C", 0, 4, "") + ETHYL.format("C", 0, 0, ""))
    assert [len(item.z) for item in read(path)] == [7, 8]


@pytest.mark.parametrize(
    ("more", "atoms", "state"),
    [("RAD=2", 4, (0, 1)), ("RAD=1", 3, (0, 0)), ("RAD=3", 3, (0, 2)), ("CHG=-1", 4, (-1, 0))],
)
def test_v3000_records_give_the_state_too(tmp_path, more, atoms, state):
    path = tmp_path / "a.mol"
    path.write_text(V3000.format(more))
    item = only(path)
    assert (len(item.z), said(item)) == (atoms, state)


def test_a_mol2_record_has_the_sum_of_its_atoms_charges(tmp_path):
    path = tmp_path / "a.mol2"
    text = (
        "@<TRIPOS>MOLECULE\nhydroxide\n 2 1 0 0 0\nSMALL\n{}\n\n@<TRIPOS>ATOM\n"
        " 1 O1 0.0 0.0 0.0 O.3 1 W {}\n 2 H1 0.0 0.0 0.97 H 1 W 0.31\n@<TRIPOS>BOND\n 1 1 2 1\n"
    )
    path.write_text(text.format("USER_CHARGES", "-1.3099"))
    assert said(only(path)) == (-1, 0)
    path.write_text(text.format("NO_CHARGES", "-1.3099"))
    assert said(only(path)) == (-1, 0)  # RDKit's charge, from the bonds
    path.write_text(text.format("USER_CHARGES", "-0.3101"))
    assert said(only(path)) == (0, 1)


@pytest.mark.parametrize(
    ("atoms", "keys", "state"),
    [
        (WATER, "", (None, None)),
        (WATER, "charge=0", (0, 0)),
        (WATER, "charge=1", (1, 1)),
        (WATER, "total_charge=-1.0", (-1, 1)),
        (WATER, "Charge=+2", (2, 0)),
        (WATER, "multiplicity=3", (None, 2)),
        (WATER, "charge=1 spin_multiplicity=4", (1, 3)),
        (WATER, "spin=1", (None, 0)),  # 2S + 1
        (WATER, "spin=2", (None, 2)),  # 2S, as 2S + 1 would need an odd number of electrons
        (WATER, "charge=1 spin=2", (1, 1)),
        (WATER, "charge=1 spin=1", (1, 1)),
        (WATER, "spin=0", (None, None)),
        (HYDROXYL, "charge=-1 spin=1", (-1, 0)),
        (HYDROXYL, "multiplicity=2", (None, 1)),
    ],
)
@pytest.mark.parametrize("extended", [False, True])
def test_keys_of_an_xyz_comment(tmp_path, atoms, keys, state, extended):
    path = tmp_path / "a.xyz"
    start = "Properties=species:S:1:pos:R:3 " if extended else ""
    path.write_text(f"{atoms.count(chr(10))}\n{start}{keys}\n{atoms}")
    assert said(only(path)) == state


@pytest.mark.parametrize(
    ("atoms", "keys", "reason"),
    [
        (WATER, "multiplicity=2", "(multiplicity 2) do not fit the 10 electrons of charge +0"),
        (WATER, "charge=1 multiplicity=1", "(multiplicity 1) do not fit the 9 electrons"),
        (WATER, "charge=0.3", "expected a whole number as charge, got '0.3'"),
        (WATER, "charge=high", "expected a whole number as charge, got 'high'"),
        (WATER, "charge=11", "expected a charge that its atoms can have, got +11"),
        (WATER, "multiplicity=0", "do not fit"),
    ],
)
def test_impossible_states_are_rejected(tmp_path, atoms, keys, reason):
    path = tmp_path / "a.extxyz"
    frame = "3\nProperties=species:S:1:pos:R:3 {}\n" + atoms
    path.write_text(frame.format(keys) + frame.format("charge=0"))
    bad, good = read(path)
    assert isinstance(bad, Rejected)
    assert reason in bad.reason
    assert said(good) == (0, 0)


def test_without_keys_a_frame_is_neutral_with_as_few_unpaired_electrons_as_possible(tmp_path):
    path = tmp_path / "a.xyz"
    path.write_text(f"3\n\n{WATER}2\n\n{HYDROXYL}")
    water, hydroxyl = read(path)
    assert said(water) == said(hydroxyl) == (None, None)
    assert (water.state, hydroxyl.state) == ((0, 0), (0, 1))


def atoms_with(info=None, charges=None, moments=None) -> Atoms:
    made = Atoms("OH", [[0, 0, 0], [0, 0, 0.97]], charges=charges, magmoms=moments)
    made.info.update(info or {})
    return made


@pytest.mark.parametrize(
    ("info", "charges", "moments", "state"),
    [
        ({"charge": -1}, None, None, (-1, 0)),
        ({"total_charge": np.int64(1), "multiplicity": 3}, None, None, (1, 2)),
        ({}, [-0.7, -0.301], None, (-1, 0)),
        ({}, None, [1.0, 0.0], (None, 1)),
        ({}, [-1.0, 0.0], [1.0, -1.0], (-1, 0)),
        ({}, [0.0, 0.0], [0.0, 0.0], (None, None)),
        ({"charge": 0}, [-1.0, 0.0], None, (0, 1)),
        ({}, None, None, (None, None)),
    ],
)
def test_ase_atoms_and_their_files(tmp_path, info, charges, moments, state):
    made = atoms_with(info, charges, moments)
    assert said(only(made)) == state
    with Trajectory(tmp_path / "a.traj", "w") as file:
        file.write(made)
    write(tmp_path / "a.extxyz", made)
    with connect(tmp_path / "a.db") as database:
        pairs = {k: int(v) for k, v in info.items()} if "total_charge" in info else {}
        database.write(made, **pairs, data={} if pairs else info)  # in one of the two
    assert said(only(tmp_path / "a.extxyz")) == state
    assert said(only(tmp_path / "a.db")) == state
    assert said(only(tmp_path / "a.traj")) == state


def test_charges_whose_sum_is_not_a_whole_number_are_refused():
    (bad,) = read(atoms_with(charges=[-0.5, 0.1]))
    assert isinstance(bad, Rejected)
    assert bad.reason.startswith("its initial charges add up to -0.4, not to a whole number")
    assert said(only(atoms_with({"charge": -1}, charges=[-0.5, 0.1]))) == (-1, 0)


def test_a_model_refuses_states_that_it_was_not_trained_on(tmp_path, capsys):
    folder = tiny_model(tmp_path, facts={"states": [[0, 0], [1, 0]]})
    predictor = Predictor(folder, copies=1)
    given = ["CO", "C[NH3+]", "C[O-]", "C[CH2]", "[NH3+]CC(=O)[O-]"]
    found = list(predictor.predict(read(given)))
    bad = [item for item in found if isinstance(item, Rejected)]
    assert [item.name for item in bad] == ["C[O-]", "C[CH2]"]
    assert bad[0].reason == (
        f"the model in {folder} was trained on molecules with no charge and no unpaired electron; "
        "charge +1 and no unpaired electron only; this one has charge -1 and no unpaired "
        "electron: train a model on data with such molecules (molinv train --data) and give its "
        "run folder."
    )
    assert main(["predict", str(folder), *given]) == 1
    assert "C[CH2]: the model in" in " ".join(capsys.readouterr().err.split())
    (tmp_path / "old").mkdir()
    assert len(list(Predictor(tiny_model(tmp_path / "old")).predict(read(given)))) == 5


@pytest.mark.skipif(not pretrained.available(), reason="no model is shipped")
def test_the_shipped_model_takes_only_neutral_closed_shell_molecules(tmp_path):
    path = tmp_path / "a.xyz"
    path.write_text(f"3\n\n{WATER}2\n\n{HYDROXYL}3\ncharge=1\n{WATER}")
    predictor = Predictor("qm9")
    reasons = [getattr(predictor.usable(item), "reason", None) for item in read(path)]
    assert reasons[0] is None
    start = "model qm9 was trained on neutral closed-shell molecules only; this one has "
    assert reasons[1].startswith(
        f"{start}no charge and 1 unpaired electron (its input gives no charge, so neutral is"
    )
    assert reasons[2].startswith(f"{start}charge +1 and 1 unpaired electron: ")
    assert isinstance(predictor.usable(only("[NH3+]CC(=O)[O-]")), Structure)


def test_states_in_words():
    assert words(-2, 2) == "charge -2 and 2 unpaired electrons"
    assert of_states([(0, 0)]) == "neutral closed-shell molecules"
    several = of_states([(q, 0) for q in range(-3, 3)])
    assert several.startswith("molecules with charge -3 and")
    assert several.endswith("; 3 more")
