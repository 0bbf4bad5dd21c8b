"""Descriptors as inputs: RDKit's and columns of a file, from training to prediction."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from molinv import cli, models
from molinv.analysis.produce import of_names
from molinv.analysis.runs import held_out, of_run
from molinv.chem import read
from molinv.chem.descriptors import Descriptors, rdkit_functions, rdkit_values, smiles_of
from molinv.chem.structure import Rejected, Structure
from molinv.datasets import descriptors
from molinv.datasets.descriptors import numbered
from molinv.datasets.features import DESCRIPTORS, sizes
from molinv.errors import InputError
from molinv.models.known import Known
from molinv.prediction.batches import pad
from molinv.prediction.predictor import Predictor
from molinv.training.config import TrainConfig, read_config
from molinv.training.run import train
from molinv.training.saved import load
from molinv.training.source import prepare

SMALL = {"width": 16, "layers": 1, "kernels": 4, "hidden": 8}
SMILES = ["C" * n + end for n in range(1, 9) for end in ("", "O", "N", "Cl", "C=O")]
WANTED = "rdkit2d,temperature,'pH, measured'"


def rows() -> list[list[str]]:
    """A table whose values depend only on the temperature."""
    made = [["smiles", "temperature", "pH, measured", "y"]]
    made += [[s, str(280 + i), "7", str(0.1 * i)] for i, s in enumerate(SMILES)]
    made[3][1] = "warm"
    made[4][2] = ""
    return [*made, ["[Na+].[Cl-]", "300", "7", "1"]]


def write(path: Path, table: list[list[str]]) -> str:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(table)
    return str(path)


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> str:
    return write(tmp_path_factory.mktemp("data") / "own.csv", rows())


def settings(data: str, **changes) -> TrainConfig:
    given = {"data": data, "targets": "y", "descriptors": WANTED, "model_args": SMALL}
    given |= {"epochs": 1, "preset": "none"}
    return TrainConfig(**(given | {"accelerator": "cpu", "devices": 1} | changes))


def known_of(folder: Path) -> Known:
    known = load(folder).network.model.known
    assert isinstance(known, Known)
    return known


@pytest.fixture(scope="module")
def run(table, tmp_path_factory) -> Path:
    return train(settings(table, out=str(tmp_path_factory.mktemp("run") / "run"), epochs=3))


def test_names_are_read_like_targets(table):
    wanted = settings(table).described
    assert wanted.columns == ("temperature", "pH, measured")
    assert len(wanted.rdkit) > 200
    assert TrainConfig(targets="y", descriptors=wanted.text).described == wanted
    assert Descriptors.of_json(json.loads(json.dumps(wanted.to_json()))) == wanted
    assert not settings(table, descriptors="").described
    for wrong in ("a,a", "'open", "y"):
        with pytest.raises(InputError):
            _ = settings(table, descriptors=wrong).described


@pytest.mark.parametrize("smiles", ["CC(=O)O", "c1cc[nH]c1", "C[N+](=O)[O-]", "C[C@H](N)C(=O)O"])
def test_a_bond_graph_has_the_descriptors_of_its_smiles(smiles):
    made = next(read(smiles))
    assert isinstance(made, Structure)
    assert made.graph is not None
    names = tuple(rdkit_functions())
    there, back = (rdkit_values(s, names) for s in (smiles, smiles_of(made.z, made.graph)))
    assert np.allclose(there, back)


def test_descriptors_are_standardised_and_start_without_an_effect():
    torch.manual_seed(0)
    model = models.make("point", 1, {})
    structures = [s for s in read(["CCO", "CCCN"]) if isinstance(s, Structure)]
    before = model(*model.inputs(pad(structures)))
    model.set_features(sizes([DESCRIPTORS], 3))
    assert model.known is not None
    model.known.fit(np.array([[1, 5, 0], [2, 5, 0], [3, 5, 900]], np.float32))
    assert model.known.constant == [False, True, False]
    values = ([2, 5, 1e30], [2, 5, 900])
    described = [
        replace(s, descriptors=np.array(v)) for s, v in zip(structures, values, strict=True)
    ]
    batch = pad(described, features=[DESCRIPTORS])
    assert torch.equal(before, model(*model.inputs(batch)))
    layer = model.known.of_descriptors
    assert layer is not None
    torch.nn.init.ones_(layer.weight)
    assert batch.features is not None
    first = model.known.atoms(torch.zeros(2, 4, 1), batch.features).detach()[:, 0, 0]
    assert float(first[0]) == 5  # clipped
    assert 0 < float(first[1]) < 5
    with pytest.raises(InputError, match="molinv predict"):
        pad(structures, features=[DESCRIPTORS])


def test_rows_without_a_descriptor_are_listed_and_the_others_train(run):
    with (run / "rejected.csv").open(encoding="utf-8", newline="") as file:
        said = {row["source"].rsplit(":", 1)[1]: row["reason"] for row in csv.DictReader(file)}
    assert set(said) == {"4", "5", "42"}
    assert "'warm'" in said["4"]
    assert "no value of the descriptor 'pH, measured'" in said["5"]
    assert "no finite BCUT2D" in said["42"]
    saved = load(run)
    assert saved.card["build"]["descriptors"]["columns"] == ["temperature", "pH, measured"]
    assert known_of(run).constant[-2:] == [False, True]


def test_predictions_need_the_columns_and_read_them(run, table, tmp_path, capsys):
    assert cli.main(["predict", str(run), table, "-o", str(tmp_path / "out.csv")]) == 1
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    assert [bool(row["error"]) for row in found].count(True) == 3
    lacking = write(tmp_path / "less.csv", [["smiles", "temperature"], ["CCO", "300"]])
    assert cli.main(["predict", str(run), lacking]) == 2
    assert (
        "the file has no 'pH, measured' (its columns: 'smiles', 'temperature')"
        in capsys.readouterr().err
    )
    assert cli.main(["predict", str(run), "CCO"]) == 2
    assert "takes the columns 'temperature', 'pH, measured'" in capsys.readouterr().err
    parquet = tmp_path / "out.parquet"
    assert cli.main(["predict", str(run), table, "-o", str(parquet), "--workers", "1"]) == 1


def test_predictions_take_the_numbers_that_training_took(run, table):
    assert cli.main(["evaluate", str(run)]) == 0
    molecules = prepare(read_config(run / "config.yaml")).molecules
    known = molecules.extras.descriptors
    assert known is not None
    trained = {name: known[i] for i, name in enumerate(molecules.ids[:])}
    predictor = Predictor(run)
    checked = [predictor.usable(s) for s in read(table, descriptors=predictor.descriptors)]
    good = [s for s in checked if isinstance(s, Structure)]
    assert len(good) == len(checked) - 3
    given = of_names(str(run), table, 2).structures
    assert given.features is not None
    assert torch.isfinite(given.features(torch.arange(2), 30).molecule).all()
    for s in good:
        assert s.descriptors is not None
        assert np.allclose(s.descriptors, trained[s.source.rsplit(":", 1)[1]])


def test_descriptors_are_kept_chunk_by_chunk(monkeypatch):
    monkeypatch.setattr(descriptors, "CHUNK", 2)
    wanted, smiles = Descriptors(("MolWt", "BCUT2D_MWHI")), ["CCCCO", "[Na+].[Cl-]", "CCN", "", "C"]
    rows = np.array([4, 1, 3, 0, 2])
    first = descriptors.described(rows, smiles, None, wanted)
    monkeypatch.setattr(descriptors, "_of_one", None)
    values, wrong = descriptors.described(rows, smiles, None, wanted)
    assert np.array_equal(first[0], values, equal_nan=True)
    assert first[1] == wrong
    assert set(wrong) == {1, 3}
    assert values[[0, 3, 4], 0] == pytest.approx([16.04, 74.12, 45.08], abs=0.01)
    assert np.isnan(values[[1, 2]]).all()


def test_other_files_give_columns_and_need_bonds(run, tmp_path):
    wanted = Predictor(run).descriptors
    comment = 'Properties=species:S:1:pos:R:3 smiles=C temperature=300 "pH, measured"=7'
    xyz = "5\n" + comment + "\nC 0 0 0\nH 0.63 0.63 0.63\nH -0.63 -0.63 0.63\n"
    xyz += "H -0.63 0.63 -0.63\nH 0.63 -0.63 -0.63\n"
    (tmp_path / "one.extxyz").write_text(xyz, encoding="utf-8")
    (made,) = read(tmp_path / "one.extxyz", descriptors=wanted)
    assert isinstance(made, Structure)
    full = numbered(made, wanted)
    assert isinstance(full, Structure)
    assert full.descriptors is not None
    assert full.descriptors[-2:].tolist() == [300, 7]
    bare = numbered(replace(made, columns={"temperature": "300", "pH, measured": 7}), wanted)
    assert isinstance(bare, Rejected)
    assert "need bonds" in bare.reason


def test_a_missing_column_and_a_named_set_are_refused(table):
    with pytest.raises(InputError, match="temperature"):
        prepare(settings(table, descriptors="temprature"))
    with pytest.raises(InputError, match="rdkit2d"):
        prepare(settings("data/qm9_sample", targets="homo", descriptors="temperature"))


def test_fine_tuning_keeps_or_adds_descriptors(run, table, tmp_path):
    data = write(tmp_path / "other.csv", [r for i, r in enumerate(rows()) if i % 2 == 0 or i < 20])
    same = train(settings(data, init=str(run), descriptors="", out=str(tmp_path / "a")))
    first, second = known_of(run), known_of(same)
    assert torch.equal(first.mean, second.mean)
    assert torch.equal(first.scale, second.scale)
    with pytest.raises(InputError, match="leave out --descriptors"):
        train(settings(data, init=str(run), descriptors="rdkit2d", out=str(tmp_path / "b")))
    plain = train(settings(table, descriptors="", out=str(tmp_path / "c")))
    added = train(settings(table, init=str(plain), features="state", out=str(tmp_path / "d")))
    assert load(added).card["build"]["features"] == ["state", "descriptors"]
    for features in ("bonds", ""):
        fewer = settings(table, init=str(added), features=features, out=str(tmp_path / "e"))
        with pytest.raises(InputError, match="takes the features state: name state in --features"):
            train(fewer, given={"features"})


def test_a_model_with_descriptors_is_analysed(run):
    subject, config, saved = of_run(run)
    structures = held_out(config, saved, 3)
    values = subject.of(structures)(*structures.batch(range(3)))
    assert values.shape == (3, 1)
