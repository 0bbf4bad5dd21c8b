"""Models and interrupted runs of molinv 0.1.0: they load, predict and are resumed."""

import csv
import json
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from small_run import SAMPLE

from molinv import InputError
from molinv.cli import main
from molinv.predict import Predictor
from molinv.prediction.evaluate import evaluate
from molinv.tasks.classes import Classes
from molinv.tasks.numbers import Numbers
from molinv.training.picture_config import PictureConfig
from molinv.training.run import train
from molinv.training.saved import load

RUNS = Path(__file__).parent / "runs_0_1_0"


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The runs, in a folder with their data."""
    shutil.copytree(RUNS, tmp_path / "runs")
    shutil.copytree(SAMPLE, tmp_path / "runs" / "qm9_sample")
    monkeypatch.chdir(tmp_path / "runs")
    return tmp_path / "runs"


def test_an_older_model_of_molecules_makes_the_same_predictions(place):
    saved = load("molecules")
    assert json.loads((place / "molecules" / "model.json").read_text())["format"] == 1
    assert isinstance(saved.task, Numbers)
    assert [t.atomwise for t in saved.task.targets] == [False, True]
    with (place / "molecules" / "metrics.csv").open() as file:
        row = list(csv.DictReader(file))[-1]
    assert saved.card["validation"]["homo"]["stored"] == pytest.approx(float(row["homo_stored"]))
    found = evaluate("molecules", copies=2, limit=20)
    assert found["targets"]["homo"]["stored"] == pytest.approx(float(row["homo_stored"]), rel=0.7)
    (row,) = Predictor("molecules").predict("CCO")
    assert row["homo_low"] is None or row["homo_low"] < row["homo"]


@pytest.mark.parametrize("changes", [{"targets": []}, {"targets": ["homo"]}, {"targets": None}])
def test_a_damaged_card_is_refused_in_one_sentence(place, changes):
    path = place / "molecules" / "model.json"
    card = json.loads(path.read_text())
    card["standardizer"] |= changes
    path.write_text(json.dumps(card))
    with pytest.raises(InputError, match="is damaged"):
        load("molecules")


@pytest.mark.parametrize("name", ["molecules", "digits"])
def test_an_interrupted_run_is_resumed(place, name, capsys):
    config = str(place / name / "config.yaml")
    before = load(name).network.state_dict()
    assert main(["train", "--config", config, "--epochs", "2"]) == 0
    with (place / name / "metrics.csv").open() as file:
        assert [r["epoch"] for r in csv.DictReader(file)] == ["0", "1", "2"]
    saved = load(name)
    assert saved.card["format"] == 2
    moved = [k for k, v in saved.network.state_dict().items() if not torch.equal(v, before[k])]
    assert len(moved) > 3
    settings = yaml.safe_load(Path(config).read_text())
    if name == "molecules":  # the settings that the run began with
        assert (settings["readout"], settings["strict_split"]) == ("sum", False)


def test_a_model_of_pictures_loads_and_is_evaluated(place):
    saved = load("digits")
    assert isinstance(saved.task, Classes)
    assert saved.task.classes == tuple("0123456789")
    assert main(["evaluate", "digits", "--copies", "2", "--limit", "20"]) == 0
    # the same settings give the same pictures
    assert train(PictureConfig(**yaml.safe_load(Path("digits/config.yaml").read_text())))


def test_the_parts_of_an_earlier_run_on_repeated_molecules_are_found_again(tmp_path):
    from molinv.datasets.split import split
    from molinv.training.config import TrainConfig, read_config
    from molinv.training.source import prepare

    path = tmp_path / "twice.csv"
    rows = [f"{'C' * (1 + i % 12)}O,{i * 0.37 % 5:.3f}" for i in range(40)]
    path.write_text("smiles,y\n" + "\n".join(rows) + "\n")
    config = TrainConfig(data=str(path), targets="y")
    settings = yaml.safe_load(yaml.safe_dump(config.__dict__))
    old = {k: v for k, v in settings.items() if k not in ("strict_split", "readout")}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(old))
    found = prepare(read_config(tmp_path / "config.yaml"))
    assert found.parts.hash == split(40).hash
    assert prepare(config).parts.hash != split(40).hash
