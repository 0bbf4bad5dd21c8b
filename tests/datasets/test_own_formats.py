"""Columns, units and kinds of files that earlier versions read wrongly or not at all."""

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.db import connect
from ase.io import Trajectory

from molinv.cli import main
from molinv.datasets.molecules import Target
from molinv.datasets.own import is_own, read_own
from molinv.errors import InputError
from molinv.training.config import TrainConfig
from molinv.training.source import prepare, wanted

WATER = Atoms("OH2", [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
METHANE = Atoms(
    "CH4", [[0, 0, 0], *0.63 * np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])]
)
SMILES = ["CCO", "c1ccccc1", "CC(=O)O", "CCN", "C1CCCCC1", "CO", "CCC", "c1ccncc1", "CC#N", "CN"]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("MOLINV_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


def table(tmp_path, header, *rows, name="a.csv"):
    path = tmp_path / name
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def read_as(path, targets):
    return read_own(path, wanted(TrainConfig(targets=targets)))


def test_two_columns_of_one_name_are_refused(tmp_path):
    path = table(tmp_path, "smiles,y,y", "CCO,1,2")
    with pytest.raises(InputError, match=r"a\.csv: two columns are called 'y'"):
        read_as(path, "y")
    with pytest.raises(InputError, match="two columns are called 'smiles'"):
        read_own(table(tmp_path, "smiles,smiles,y", "CCO,CC,2"))
    assert len(read_as(table(tmp_path, "smiles,,y,", "CCO,,2,"), "y").molecules) == 1
    from rdkit import Chem

    block = Chem.MolToMolBlock(Chem.MolFromSmiles("CCO"))
    (tmp_path / "a.sdf").write_text(f"{block}> <y>\n1\n\n> <y>\n2\n\n$$$$\n")
    with pytest.raises(InputError, match="record 1 has two fields 'y'"):
        read_as(tmp_path / "a.sdf", "y")


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        ("IC50 [nM],'pKa, exp'", {"IC50": "nM", "pKa, exp": ""}),
        ("'IC50 [nM]' [nM],'pKa, exp' [1]", {"IC50 [nM]": "nM", "pKa, exp": "1"}),
        ('"pKa, exp"', {"pKa, exp": ""}),
        ("IC50[nM]", {"IC50": "nM"}),
    ],
)
def test_columns_with_brackets_and_commas_can_be_named(tmp_path, targets, expected):
    path = table(tmp_path, 'smiles,IC50 [nM],"pKa, exp"', "CCO,1,2", "CC,3,4")
    found = read_as(path, targets).molecules
    assert {t.name: t.unit for t in found.targets} == expected
    columns = {"IC50": [1, 3], "pKa, exp": [2, 4]}
    for name in expected:
        assert found.select([name])[:, 0].tolist() == columns[name.removesuffix(" [nM]")]


def test_a_column_with_the_unit_in_its_name_takes_precedence(tmp_path):
    path = table(tmp_path, "smiles,IC50,IC50 [nM]", "CCO,1,2")
    assert read_as(path, "IC50 [nM]").molecules.y.tolist() == [[2]]
    assert read_as(path, "IC50 [uM]").molecules.y.tolist() == [[1]]


@pytest.mark.parametrize("text", ["'a", "'a' b", "[nM]", "a [b] c", "", ",", "a,'a'"])
def test_targets_that_cannot_be_parsed_are_refused(text):
    with pytest.raises(InputError, match="targets: expected different names"):
        TrainConfig(targets=text).units  # noqa: B018


def test_names_with_apostrophes_and_spaces_stay(tmp_path):
    config = TrainConfig(targets="5'-end, two words [a b] ,'x' ,")
    assert config.units == {"5'-end": None, "two words": "a b", "x": None}
    assert config.target_names == ["5'-end", "two words", "x"]


@pytest.mark.parametrize("end", ["std", "low", "high", "mae", "unit", "radius", "xx"])
def test_a_target_named_as_a_column_of_anothers_predictions_is_refused(tmp_path, end):
    path = table(tmp_path, f"smiles,y,y_{end}", "CCO,1,2")
    with pytest.raises(InputError, match=f"predictions of 'y' have a column 'y_{end}' too"):
        read_as(path, f"y_{end},y")
    assert read_as(path, f"y_{end}").molecules.y.tolist() == [[2]]


def test_rows_with_a_missing_value_are_used_and_huge_values_refused(tmp_path):
    own = read_as(table(tmp_path, "smiles,a,b", "CCO,1,#N/A", "CC,NULL,2", "C,3,1e39"), "a,b")
    assert np.array_equal(own.molecules.y, [[1, np.nan], [np.nan, 2]], equal_nan=True)
    assert "expected 'b' between -1e+30 and 1e+30, got 1e+39" in own.rejected[0].reason
    with pytest.raises(InputError, match=r"numbers beyond 1e\+30, .* in all of its 2 rows"):
        read_as(table(tmp_path, "smiles,a", "CCO,1e39", "CC,-2e40"), "a")


def test_values_keep_their_digits_beside_a_large_offset(tmp_path):
    path = table(tmp_path, "smiles,y", "CCO,999999.98899", "CC,1000000.00183")
    y = read_as(path, "y").molecules.y
    assert y.dtype == np.float64
    assert y[:, 0].tolist() == [999999.98899, 1000000.00183]


def test_values_in_the_data_of_a_databases_rows(tmp_path):
    with connect(tmp_path / "a.db") as rows:
        rows.metadata = {"_property_unit_dict": {"energy": "kcal/mol", "F": "kcal/mol/Ang"}}
        for atoms in (WATER, METHANE):
            n = len(atoms)
            data = {"energy": np.array([n / 2]), "F": np.ones((n, 3)), "mu": np.arange(3.0)}
            rows.write(atoms, data=data | {"q": np.arange(n) * 1.0, "note": "x"})
    own = read_as(tmp_path / "a.db", "energy,F").molecules
    energy, forces = own.describe(["energy", "F"])
    assert (energy.unit, energy.atomwise) == ("kcal/mol", True)
    assert (forces.unit, forces.kind) == ("kcal/mol/angstrom", "atom vector")
    assert own.y[:, 0].tolist() == [1.5, 2.5]
    with pytest.raises(InputError, match="gives energy in kcal/mol, not in eV: leave out the unit"):
        read_as(tmp_path / "a.db", "energy [ev]")
    own = read_own(tmp_path / "a.db", [Target("mu", ""), Target("q", "")]).molecules
    assert [t.kind for t in own.describe(["mu", "q"])] == ["vector", "atom scalar"]
    assert own.values(["mu"])[:, 0].tolist() == [[0, 1, 2]] * 2


def test_three_numbers_of_molecules_with_three_atoms_are_a_vector_but_for_charges(tmp_path):
    with connect(tmp_path / "a.db") as rows:
        rows.write(WATER, data={"mu": np.arange(3.0), "partial_charges": np.ones(3)})
    own = read_own(tmp_path / "a.db", [Target("mu", ""), Target("partial_charges", "")]).molecules
    assert [f.target.kind for f in own.fields] == ["vector", "atom scalar"]


def test_trajectories_have_their_calculators_values(tmp_path):
    with Trajectory(tmp_path / "a.traj", "w") as frames:
        for k, atoms in enumerate((WATER, METHANE)):
            atoms = atoms.copy()
            atoms.info["gap"] = 5.0 + k
            forces = np.full((len(atoms), 3), k + 1.0)
            dipole = np.array([0, 0, 1.0])
            atoms.calc = SinglePointCalculator(atoms, energy=-k, forces=forces, dipole=dipole)
            frames.write(atoms)
    own = read_as(tmp_path / "a.traj", "energy,forces,gap,dipole").molecules
    assert own.select(["energy", "gap"]).tolist() == [[0, 5], [-1, 6]]
    energy, forces, dipole = own.describe(["energy", "forces", "dipole"])
    assert (energy.unit, energy.atomwise, forces.unit) == ("eV", True, "eV/angstrom")
    assert dipole.kind == "vector"
    assert own.values(["forces"])[3:, 0].tolist() == [[2, 2, 2]] * 5


def test_numbers_that_ase_wrote_as_json(tmp_path):
    frame = '3\nProperties=species:S:1:pos:R:3 energy="_JSON {}" pbc="F F F"\n'
    frame += "O 0 0 0\nH 0.96 0 0\nD -0.24 0.93 0\n"
    (tmp_path / "a.extxyz").write_text(frame.format(1.5) + frame.format(2))
    assert read_as(tmp_path / "a.extxyz", "energy").molecules.y.tolist() == [[1.5], [2]]


def test_tables_with_tabs_capitals_and_letters_of_all_languages(tmp_path):
    path = table(tmp_path, "SMILES\tΔG", "CCO\t1", "CC\t2", name="A.TSV")
    assert read_as(path, "ΔG [KCAL/MOL]").molecules.targets == (Target("ΔG", "kcal/mol"),)
    from rdkit import Chem

    text = "".join(
        f"{Chem.MolToMolBlock(Chem.MolFromSmiles(s))}> <y>\n{k}.5\n\n$$$$\n"
        for k, s in enumerate(SMILES)
    )
    (tmp_path / "A.SDF").write_text(text)
    own = read_as(tmp_path / "A.SDF", "y")
    assert list(own.smiles) == [Chem.CanonSmiles(s) for s in SMILES]
    config = TrainConfig(data=str(tmp_path / "A.SDF"), targets="y", split="scaffold")
    assert sum(map(len, (prepare(config).parts.train, prepare(config).parts.test))) > 0


def test_a_file_without_values_is_refused_with_suffixes_that_have_values(tmp_path):
    path = table(tmp_path, "CCO ethanol", name="a.txt")
    assert is_own(path)
    assert not is_own(tmp_path)
    with pytest.raises(InputError, match=r"a file with values to learn, ending in \.csv \.tsv"):
        prepare(TrainConfig(data=str(path), targets="y"))


def test_unusual_values_of_a_file_are_noted_and_printed(tmp_path, capsys):
    rows = [f"{s},{k}" for k, s in enumerate(SMILES * 2)]
    path = table(tmp_path, "smiles,y", *rows, "OCC,1e9", "[SnH4],1")
    source = prepare(TrainConfig(data=str(path), targets="y", seed=1))
    said = " ".join(source.notes)
    assert "10 molecules occur more than once (21 rows in all)." in said
    assert "'y' is 1000000000 in row 22 (OCC)" in said
    assert "Molecules with rows that differ in 'y': 10, by up to 1e+09" in said
    assert "A random split keeps all rows of a molecule in one part." in said
    assert "to validate on and" in said
    assert main(["data", str(path), "--workers", "0"]) == 0
    shown = capsys.readouterr().out
    assert "note: 10 molecules occur more than once" in shown
    assert main(["data", str(path), "--workers", "0", "--targets", "z"]) == 2


def test_molecules_with_an_element_only_in_the_test_part_are_left_out_with_a_note(tmp_path):
    parts = ["train"] * 6 + ["valid"] * 2 + ["test"] * 2
    rows = [f"{s},{k},{p}" for k, (s, p) in enumerate(zip(SMILES, parts, strict=True))]
    path = table(tmp_path, "smiles,y,part", *rows, "C[SnH3],9,test", "CCO,2,test")
    source = prepare(TrainConfig(data=str(path), targets="y", split="column:part"))
    assert len(source.parts.test) == 3
    notes = [note for note in source.notes if "left out" in note]
    assert notes == ["1 molecule with Sn left out of the test part: no training molecule has Sn."]
    assert any("1 of the molecules that occur more than once stand" in n for n in source.notes)


def test_a_units_spelling_is_not_another_unit(tmp_path):
    sample = "data/qm9_sample"
    assert prepare(TrainConfig(data=sample, targets="homo [mev]", train_size=100)).molecules
    with pytest.raises(InputError, match="gives homo in meV, not in eV"):
        prepare(TrainConfig(data=sample, targets="homo [eV]", train_size=100))
