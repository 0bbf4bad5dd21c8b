"""A user's files: their content, rows that cannot be used, and splits."""

import gzip

import numpy as np
import pytest

from molinv.cli import main
from molinv.datasets.molecules import Target
from molinv.datasets.own import read_own
from molinv.datasets.partition import by_column, by_scaffold, by_time
from molinv.errors import InputError

SMILES = ["CCO", "c1ccccc1", "CC(=O)O", "CCN", "C1CCCCC1", "CO", "CCC", "c1ccncc1", "CC#N", "CN"]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("MOLINV_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


def csv(tmp_path, rows, header="smiles,logS,dG", name="a.csv"):
    path = tmp_path / name
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_rows_that_cannot_be_used_are_left_out_with_the_reason(tmp_path):
    rows = [
        "CCO,-1.5,2",
        "C1CC,1,2",
        "CCC,,",
        "CCN,n/a,3e-1",
        "",
        "CO,about 3,1",
        ",1,1",
        "O,inf,1",
    ]
    own = read_own(csv(tmp_path, rows))
    assert [t.name for t in own.molecules.targets] == ["dG"]  # the other holds text
    own = read_own(csv(tmp_path, rows), [Target("logS", "log mol/L"), Target("dG", "")])
    assert own.molecules.smiles[:] == ["CCO", "CCN"]
    assert np.array_equal(own.molecules.y, [[-1.5, 2], [np.nan, 0.3]], equal_nan=True)
    assert own.molecules.targets[0].unit == "log mol/L"
    assert own.molecules.ids[:] == ["2", "5"]
    assert own.embedded.all()
    reasons = {r.source.rsplit(":", 1)[1]: r.reason for r in own.rejected}
    assert list(reasons) == ["3", "4", "7", "8", "9"]
    assert "C1CC" in reasons["3"]
    assert reasons["4"] == "it has no value of logS or dG"
    assert reasons["7"] == "expected a number in 'logS', got 'about 3'"
    assert "empty cell" in reasons["8"]
    assert "'inf'" in reasons["9"]


def test_geometries_are_made_once(tmp_path, monkeypatch):
    path = csv(tmp_path, [f"{s},1,{i}" for i, s in enumerate(SMILES)])
    first = read_own(path).molecules
    monkeypatch.setattr("molinv.chem.smiles.embed_many", None)  # a search would fail
    again = read_own(path, [Target("dG", "")]).molecules
    assert np.array_equal(first.pos, again.pos)
    path.write_text(path.read_text() + "CCCC,1,2\n")
    with pytest.raises(TypeError):
        read_own(path)


def test_several_processes_make_the_same_geometries(tmp_path, monkeypatch):
    path = csv(tmp_path, [f"{s},1,{i}" for i, s in enumerate(SMILES)])
    one = read_own(path).molecules
    monkeypatch.setenv("MOLINV_CACHE", str(tmp_path / "other"))
    monkeypatch.setattr("molinv.datasets.geometries.FEW", 1)
    many = read_own(path, workers=1).molecules
    assert np.array_equal(one.pos, many.pos)


def test_an_interrupted_conformer_search_is_resumed(tmp_path, monkeypatch):
    monkeypatch.setenv("MOLINV_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("molinv.datasets.geometries.CHUNK", 4)
    from molinv.chem import smiles as module

    path = csv(tmp_path, [f"{s},1,{i}" for i, s in enumerate(SMILES)])
    calls, embed = [], module.embed_many

    def failing(*args):
        calls.append(args)
        if len(calls) == 7:
            raise KeyboardInterrupt
        return embed(*args)

    monkeypatch.setattr(module, "embed_many", failing)
    with pytest.raises(KeyboardInterrupt):
        read_own(path)
    assert len(read_own(path).molecules) == 10
    assert len(calls) == 7 + 6  # the first chunk, of four molecules, was cached


@pytest.mark.parametrize("packed", [False, True])
def test_sdf_properties_are_targets(tmp_path, packed):
    from rdkit import Chem

    text = ""
    for i, smiles in enumerate(["CCO", "c1ccccc1"]):
        text += Chem.MolToMolBlock(Chem.MolFromSmiles(smiles))
        text += f">  <SOL>  ({i}) \n{-i - 0.5}\n\n> <note>\ntwo\nlines\n\n$$$$\n"
    path = tmp_path / ("a.sdf.gz" if packed else "a.sdf")
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    own = read_own(path)
    assert own.molecules.targets == (Target("SOL", ""),)
    assert own.molecules.y[:, 0].tolist() == [-0.5, -1.5]
    assert own.labels[0]["note"] == "two\nlines"


def test_energies_of_ase_files_are_total_ones_in_ev(tmp_path):
    from ase import Atoms
    from ase.calculators.singlepoint import SinglePointCalculator
    from ase.db import connect
    from ase.io import write

    water = Atoms("OH2", [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    database = connect(tmp_path / "a.db")
    frames = []
    for energy in (-470.5, -470.25):
        atoms = water.copy()
        atoms.calc = SinglePointCalculator(atoms, energy=energy)
        frames.append(atoms)
        database.write(atoms, gap=energy / 100)
    write(tmp_path / "a.extxyz", frames)
    for name in ("a.extxyz", "a.db"):
        own = read_own(tmp_path / name, [Target("energy", "")])
        assert own.molecules.y[:, 0].tolist() == [-470.5, -470.25]
        assert own.molecules.targets == (Target("energy", "eV", "", atomwise=True),)
        assert not own.embedded.any()
    own = read_own(tmp_path / "a.db")
    assert {t.name for t in own.molecules.targets} == {"energy", "gap"}


@pytest.mark.parametrize(
    ("rows", "targets", "hint"),
    [
        (["CCO,1,2"], ["logs2"], "did you mean 'logS'"),
        (["CCO,low,2", "CO,high,3"], ["logS"], "got text such as 'low' in all of its 2 rows"),
        (["CCO,,2", "CO,,3"], ["logS"], "got no values in all of its 2 rows"),
        (["C1CC,1,2", "C(C,2,3"], ["logS"], "none of its 2 molecules can be used; the first"),
        (["CCO,low,x"], None, "expected a column of numbers to learn, got 'smiles'"),
    ],
)
def test_errors_of_a_file_are_one_sentence(tmp_path, rows, targets, hint):
    path = csv(tmp_path, rows)
    with pytest.raises(InputError) as caught:
        read_own(path, targets and [Target(t, "") for t in targets])
    assert hint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_table_without_smiles_or_with_a_reserved_target(tmp_path):
    with pytest.raises(InputError, match="expected one SMILES column, got the columns 'mol'"):
        read_own(csv(tmp_path, ["CCO,1,2"], "mol,logS,dG"))
    found = read_own(csv(tmp_path, ["CCO,1,2"], "mol,logS,dG"), smiles_column="mol")
    assert found.molecules.smiles[0] == "CCO"
    with pytest.raises(InputError, match="rename it"):
        read_own(csv(tmp_path, ["CCO,1,2"], "smiles,row,dG"), [Target("row", "")])
    with pytest.raises(InputError, match="no such file"):
        read_own(tmp_path / "none.csv")


def test_the_data_command_describes_a_file(tmp_path, capsys):
    path = csv(tmp_path, [*(f"{s},1.{i}," for i, s in enumerate(SMILES)), "C1CC,1,1", "CCC,1,2"])
    assert main(["data", str(path), "--targets", "logS [log mol/L],dG", "--workers", "0"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "12 rows, 1 of them rejected; RDKit made the geometries of 11" in shown
    assert "1 rejected: cannot read the SMILES 'C1CC'" in shown
    assert "logS │ log mol/L │ │ 11 │ 0 │" in shown
    assert "dG │ not given │ │ 1 │ 10 │" in shown


def test_scaffolds_stay_together_whatever_the_seed():
    rings = ["c1ccccc1", "C1CCCCC1", "c1ccncc1", "C1CCCC1", "C1CCNCC1", "c1ccoc1"]
    smiles = [r + "C" * k for r in rings for k in range(5)] + ["CCO"] * 70
    parts = by_scaffold(smiles), by_scaffold(smiles, seed=7)
    for made in parts:
        every = np.concatenate([made.train, made.valid, made.test])
        assert sorted(every.tolist()) == list(range(100))
        groups = [{smiles[i][:6] if i < 30 else "" for i in p} for p in (made.train, made.valid)]
        groups.append({smiles[i][:6] if i < 30 else "" for i in made.test})
        assert not groups[0] & groups[1]
        assert not (groups[0] | groups[1]) & groups[2]
        assert (len(made.train), len(made.valid), len(made.test)) == (80, 10, 10)
    for part in ("train", "valid", "test"):
        assert set(getattr(parts[0], part)) == set(getattr(parts[1], part))
    assert len(by_scaffold(smiles, train_size=20).train) == 20
    with pytest.raises(InputError, match="no SMILES"):
        by_scaffold(["CCO"] * 10 + [""])


@pytest.mark.parametrize("kind", [float, str, lambda d: f"2024-01-{int(d) + 1:02d}"])
def test_the_newest_are_tested(kind):
    days = np.random.default_rng(0).permutation(30)
    made = by_time([kind(d) for d in days])
    assert max(days[made.train]) < min(days[made.valid])
    assert max(days[made.valid]) < min(days[made.test])
    assert (len(made.train), len(made.valid), len(made.test)) == (24, 3, 3)


def test_a_column_says_the_parts():
    words = ["Train", "test", "VAL", "train", "dev"] * 4
    made = by_column(words)
    assert {words[i] for i in made.train} == {"Train", "train"}
    assert {words[i] for i in made.valid} == {"VAL", "dev"}
    held = by_column(["train"] * 40 + ["test"] * 5)
    assert (len(held.train), len(held.valid), len(held.test)) == (36, 4, 5)
    for values, hint in (
        (["train", "tset", "test"], "'tset' for molecule 2: expected train, valid or test"),
        (["train", None], "''"),
        (["train"] * 20, "no molecule to test"),
    ):
        with pytest.raises(InputError, match=hint):
            by_column(values)
    with pytest.raises(InputError, match="dates such as 2024-05-31"):
        by_time(["2024-01-01"] * 10 + ["soon"])


def test_the_column_that_is_named_has_the_smiles(tmp_path):
    path = tmp_path / "two.csv"
    rows = [f"{'C' * (i + 1)},{'N' * (i % 3 + 1)},{i}" for i in range(6)]
    for names in ("smiles,curated,y", "SMILES,curated,y"):
        path.write_text("\n".join([names, *rows]), encoding="utf-8")
        own = read_own(path, smiles_column="curated")
        assert [*own.smiles] == [*own.molecules.smiles[:]] == ["N", "NN", "NNN"] * 2
        assert len(set(own.groups.tolist())) == 3


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["1.5", "n.d.", "0.3"], r"'logS' has the text 'n.d.' \(--targets logS leaves such"),
        (['"0,5"', '"1,5"', '"2,5"'], "'logS' has the text '0,5': write numbers with a decimal"),
    ],
)
def test_a_column_that_is_not_all_numbers_is_shown_with_its_first_text(tmp_path, cells, said):
    rows = [f"{s},{cell}" for s, cell in zip(SMILES, cells, strict=False)]
    with pytest.raises(InputError, match=said):
        read_own(csv(tmp_path, rows, "smiles,logS"))


def test_names_and_smiles_are_not_suggested_as_targets(tmp_path):
    path = csv(tmp_path, ["a,CCO,1", "b,CCC,2"], "name,smiles,dG")
    with pytest.raises(InputError, match=r"choose from dG\.$"):
        read_own(path, [Target("xyzzy", "")])
