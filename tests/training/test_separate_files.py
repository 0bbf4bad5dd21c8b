"""Separate files to train, validate and test on."""

import csv
import json

import numpy as np
import pytest
from small_run import SAMPLE

from molinv import InputError
from molinv.cli import main
from molinv.datasets import load as load_data
from molinv.datasets.partition import by_file
from molinv.training.config import TrainConfig
from molinv.training.saved import load
from molinv.training.source import prepare

FLAGS = ["--epochs", "1", "--accelerator", "cpu", "--workers", "0", "--targets", "gap [meV]"]
FLAGS += ["--model_args", '{"width": 16, "layers": 1, "kernels": 4}']


@pytest.fixture(scope="module", autouse=True)
def _own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOLINV_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def table(path, chosen, more=(), header=("smiles", "gap", "kind")):
    molecules = load_data(SAMPLE)
    gap = molecules.select(["gap"])[:, 0]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for i in chosen:
            writer.writerow([molecules.smiles[i], gap[i], "high" if gap[i] > 6800 else "low"])
        writer.writerows(more)
    return str(path)


@pytest.fixture
def files(tmp_path):
    """40, 14 and 16 rows: train and valid share 3 molecules, valid and test 2; a row is bad."""
    return {
        "data": table(tmp_path / "train.csv", range(40)),
        "valid": table(tmp_path / "valid.csv", range(37, 51), [("C(C", 1, "low")]),
        "test": table(tmp_path / "test.csv", range(49, 65)),
    }


def three(parts):
    return parts.train, parts.valid, parts.test


def config(files, **more):
    return TrainConfig(**(files | {"targets": "gap [meV]"} | more))


def test_repeated_molecules_stay_in_the_later_file(files):
    source = prepare(config(files))
    names = [{source.molecules.smiles[i] for i in part} for part in three(source.parts)]
    assert len(set.union(*names)) == sum(map(len, names))
    ids = source.molecules.ids
    for part, name in zip(three(source.parts), files.values(), strict=True):
        assert {ids[i].rsplit(":", 1)[0] for i in part} == {name}
    reasons = {r.source: r.reason for r in source.rejected}
    assert len(reasons) == 1 + 3 + 2
    assert f"{files['valid']} too ({files['valid']}:2)" in reasons[f"{files['data']}:39"]
    assert "parentheses" in reasons[f"{files['valid']}:16"]
    assert any("5 rows left out" in note for note in source.notes)


def test_without_strict_split_they_are_kept_with_a_note(files):
    source = prepare(config(files, strict_split=False))
    assert [len(p) for p in three(source.parts)] == [40, 14, 16]
    assert len(source.rejected) == 1
    assert any("stand in several parts" in note for note in source.notes)


def test_a_tenth_of_the_training_file_validates_where_no_file_does(files):
    del files["valid"]
    parts = prepare(config(files)).parts
    assert [len(p) for p in three(parts)][:2] == [36, 4]
    again, other = prepare(config(files)).parts, prepare(config(files, seed=1)).parts
    assert parts.hash == again.hash != other.hash
    assert prepare(config(files, seed=1, data_seed=0)).parts.hash == parts.hash


def test_rows_of_one_molecule_validate_together():
    origin, groups = np.repeat([0, 2], [30, 3]), np.arange(33)
    groups[:30] //= 3
    groups = np.unique(groups, return_inverse=True)[1]
    for seed in range(5):
        parts, _ = by_file(origin, groups, seed=seed)
        assert len(parts.valid) == 3
        assert len(set(groups[parts.valid])) == 1


def test_a_run_seals_the_digests_of_all_files(files, tmp_path, capsys):
    folder = tmp_path / "r"
    named = [f"--{k}={v}" for k, v in files.items()]
    assert main(["train", *named, *FLAGS, "--out", str(folder)]) == 0
    assert "left out: 6, see" in capsys.readouterr().out
    card = load(folder).card
    assert set(card["files_sha256"]) == {"data", "valid", "test"}
    assert (folder / "rejected.csv").read_text().count("valid.csv:") >= 3
    assert main(["evaluate", str(folder)]) == 0
    assert json.loads((folder / "evaluation.json").read_text())["molecules"] == len(
        prepare(config(files)).parts.test
    )
    table(tmp_path / "test.csv", range(49, 64))
    capsys.readouterr()
    assert main(["evaluate", str(folder)]) == 2
    assert f"{files['test']} is no longer the file" in capsys.readouterr().err


def test_files_that_do_not_fit_are_refused(files, tmp_path):
    with pytest.raises(InputError, match="give --test"):
        config({"data": files["data"], "valid": files["valid"]})
    with pytest.raises(InputError, match="leave out --split scaffold"):
        config(files, split="scaffold")
    with pytest.raises(InputError, match="qm9 is not a file of molecules"):
        prepare(config(files | {"data": "qm9"}))
    with pytest.raises(InputError, match=r"no data set at .*none\.csv"):
        prepare(config(files | {"test": str(tmp_path / "none.csv")}))
    other = table(tmp_path / "other.csv", range(70, 90), header=("smiles", "band", "kind"))
    with pytest.raises(InputError, match=r"unknown target of .*other\.csv"):
        prepare(config(files | {"test": other}))
    with pytest.raises(InputError, match="leave no molecule to train on: give others"):
        prepare(config(files | {"data": files["test"]}))


def test_classes_are_those_of_all_files_together(files):
    source = prepare(config(files, targets="kind"))
    assert source.molecules.targets[0].classes == ("high", "low")


def test_bonds_of_sdf_files_tell_repeated_molecules(tmp_path):
    from rdkit import Chem
    from rdkit.Chem import AllChem

    def write(name, smiles):
        with Chem.SDWriter(str(tmp_path / name)) as writer:
            for i, text in enumerate(smiles):
                mol = Chem.AddHs(Chem.MolFromSmiles(text))
                AllChem.EmbedMolecule(mol, randomSeed=i)
                mol.SetProp("y", str(i))
                writer.write(mol)
        return str(tmp_path / name)

    train = write("train.sdf", ["C" * n for n in range(1, 25)])
    test = write("test.sdf", ["OC", "CC", "CCN"])
    source = prepare(TrainConfig(data=train, test=test, targets="y", strict_split=True))
    assert [r.source for r in source.rejected] == [f"{train}:2"]
