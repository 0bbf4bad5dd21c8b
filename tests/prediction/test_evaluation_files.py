"""Files of an evaluation: further measures, test predictions, the split and a parity plot."""

import csv
import json
import shutil

import numpy as np
import pytest

from molinv.cli import main
from molinv.prediction.evaluate import evaluate
from molinv.prediction.evaluation_files import scores
from molinv.training.config import read_config
from molinv.training.source import prepare


def rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_scores_agree_with_their_definitions():
    truth, found = np.array([1.0, 2, 3, 4, np.nan]), np.array([1.0, 2, 3, 8, 0])
    made = scores(truth, found)
    assert made["rmse"] == pytest.approx(2)
    assert made["r2"] == pytest.approx(1 - 16 / 5)
    assert made["spearman"] == pytest.approx(1)  # only the order matters
    ties = scores(np.array([1.0, 1, 2, 3]), np.array([3.0, 3, 2, 1]))
    assert ties["spearman"] == pytest.approx(-1)
    assert scores(np.ones(3), np.zeros(3)) == {"rmse": 1, "r2": None, "spearman": None}
    assert set(scores(np.full(3, np.nan), np.zeros(3)).values()) == {None}


@pytest.mark.parametrize("copies", [0, 2])
def test_evaluate_writes_test_predictions_the_split_and_a_plot(run, copies, tmp_path):
    left_out = shutil.ignore_patterns("evaluation.json", "conformal.json", "partial-evaluation")
    run = shutil.copytree(run, tmp_path / "run", ignore=left_out)
    result = evaluate(run, copies=copies)
    config = read_config(run / "config.yaml")
    molecules, parts, *_ = prepare(config)
    view = "averaged" if copies else "rotated"
    made = rows(run / "test_predictions.csv")
    assert [row["id"] for row in made] == [molecules.ids[i] for i in parts.test]
    assert [row["smiles"] for row in made] == [molecules.smiles[i] for i in parts.test]
    for name, y in zip(("homo", "U0"), molecules.select(["homo", "U0"])[parts.test].T, strict=True):
        truth, found = (np.array([float(r[n]) for r in made]) for n in (f"{name}_true", name))
        assert abs(found - truth).mean() == pytest.approx(result["targets"][name][view], rel=1e-5)
        assert result["targets"][name]["metrics"][view] == pytest.approx(scores(truth, found))
        assert set(result["targets"][name]["metrics"]) == {"stored", "rotated", view}
        if name == "homo":
            assert truth == pytest.approx(y, rel=1e-5)
        if copies:
            width = np.array([float(r[f"{name}_high"]) - float(r[f"{name}_low"]) for r in made])
            half = result["intervals"]["given"]["targets"][name]["half"]
            assert width == pytest.approx(2 * half)
        else:
            assert f"{name}_low" not in made[0]
    split = rows(run / "split.csv")
    for part in ("train", "valid", "test"):
        ids = [row["id"] for row in split if row["part"] == part]
        assert ids == [molecules.ids[i] for i in getattr(parts, part)]
    assert (run / "parity.png").read_bytes()[:4] == b"\x89PNG"
    assert not list(run.glob("*.part"))


def test_the_command_prints_the_scores(run, capsys):
    evaluate(run, copies=2)
    assert main(["evaluate", str(run), "--limit", "20", "--copies", "2"]) == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("RMSE", "R2", "Spearman"))
    assert len(rows(run / "partial-evaluation" / "test_predictions.csv")) == 20
    json.loads((run / "evaluation.json").read_text())
