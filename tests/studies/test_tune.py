"""A search of settings: it is resumed, prunes trials, and writes a config for training."""

import builtins
import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import yaml
from small_run import SAMPLE, small

from molinv import InputError
from molinv.cli import main
from molinv.datasets.molecules import Target
from molinv.studies import tune as module
from molinv.studies.space import SPACE, Choice, Range, configured, space, value_of
from molinv.studies.tune import tune
from molinv.tasks import of_targets
from molinv.training import run as run_module
from molinv.training.config import TrainConfig
from molinv.training.history import History
from molinv.training.source import prepare

SEARCH = ["lr", "muon_lr", "ema"]
TASK = of_targets([Target("gap", "meV")])


@pytest.fixture
def config(tmp_path):
    return small(tmp_path / "t", epochs=2, train_size=32, valid_size=16, targets="gap")


def rows_of(folder):
    with (folder / "trials.csv").open(newline="", encoding="utf-8") as file:
        return {row["trial"]: row for row in csv.DictReader(file)}


def test_the_best_settings_are_a_config_that_train_takes(config, tmp_path, capsys):
    flags = ["--data", str(SAMPLE), "--train_size", "32", "--valid_size", "16", "--epochs", "1"]
    flags += ["--accelerator", "cpu", "--targets", "gap", "--model_args", '{"layers": 1}']
    folder = tmp_path / "tune"
    assert main(["tune", *flags, "--trials", "3", "--out", str(folder)]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "Of 3 trials trial_" in printed
    rows = rows_of(folder)
    assert set(rows) == {"0", "1", "2"}
    # the first trial has the defaults; settings that were given are not searched
    first = {k: rows["0"][k] for k in ("lr", "muon_lr", "batch_size", "width", "distribution")}
    assert list(first.values()) == ["0.001", "0.005", "64", "160", "UniformBox"]
    assert "layers" not in rows["0"]
    best = yaml.safe_load((folder / "best.yaml").read_text())
    errors = {k: float(row["error"]) for k, row in rows.items()}
    winner = rows[min(errors, key=lambda k: errors[k])]
    assert best["lr"] == pytest.approx(float(winner["lr"]))
    assert best["model_args"] == {"layers": 1, "width": int(winner["width"])}
    assert main(["train", "--config", str(folder / "best.yaml")]) == 0
    card = json.loads((folder / "best" / "model.json").read_text())
    assert card["validation"]["gap"]["stored"] == pytest.approx(float(winner["gap_valid"]))


def test_an_interrupted_search_is_resumed_in_the_same_folder(config, monkeypatch):
    whole = tune(replace(config, out=f"{config.out}-whole"), 3, search=SEARCH)
    before, seen = History.on_train_epoch_end, []

    def stop(self, *args):
        before(self, *args)
        seen.append(self.folder.name)
        if len(seen) == 3:  # the second trial's first epoch
            raise KeyboardInterrupt

    monkeypatch.setattr(History, "on_train_epoch_end", stop)
    with pytest.raises(KeyboardInterrupt):
        tune(config, 3, search=SEARCH)
    found = tune(config, 3, search=SEARCH)
    assert [row["state"] for row in found.rows] == ["complete"] * 3
    assert set(seen) <= {"trial_0", "trial_1", "trial_2", "trial_3"}
    first = {row["trial"]: row["error"] for row in found.rows}
    assert first["0"] == pytest.approx({r["trial"]: r["error"] for r in whole.rows}["0"])
    more = tune(config, 4, search=SEARCH)
    assert len(more.rows) == 4
    assert {r["trial"]: r["error"] for r in more.rows}["0"] == first["0"]


def test_a_killed_trial_is_resumed(config, monkeypatch):
    """A killed process leaves its trial as running in the log."""
    import optuna

    tell = optuna.Study.tell
    monkeypatch.setattr(optuna.Study, "tell", lambda *_, **__: (_ for _ in ()).throw(MemoryError))
    with pytest.raises(MemoryError):
        tune(config, 1, search=SEARCH)
    monkeypatch.setattr(optuna.Study, "tell", tell)
    (row,) = tune(config, 1, search=SEARCH).rows
    assert (row["trial"], row["state"], row["epochs"]) == ("0", "complete", 2)


def test_bad_trials_are_pruned_and_a_failed_one_is_listed(config, monkeypatch):
    def fake(own, trust, workers, given, watch):
        number = int(own.out.rsplit("_", 1)[1])
        if number == 1:
            raise InputError("training diverged.")
        for epoch in range(1, 11):
            watch(epoch, 1.0 + (number >= 7) / epoch)

    monkeypatch.setattr(module, "train", fake)
    found = tune(replace(config, epochs=10), 9, search=SEARCH)
    states = {row["trial"]: row for row in found.rows}
    assert states["1"]["state"] == "fail"
    assert states["1"]["reason"] == "training diverged."
    assert [states[k]["state"] for k in ("7", "8")] == ["pruned"] * 2
    assert states["7"]["epochs"] < 10
    assert "Of 9 trials" in found.sentence


def test_the_time_ends_a_search(config, monkeypatch):
    clock = iter([0.0, *range(0, 10_000, 40)])
    monkeypatch.setattr(module.time, "monotonic", lambda: next(clock))
    with pytest.raises(InputError, match="no trial was finished in 1 minutes"):
        tune(replace(config, epochs=30), 3, minutes=1, search=["lr"])
    monkeypatch.undo()
    (row,) = tune(replace(config, epochs=30), 1, search=["lr"]).rows
    assert (row["trial"], row["epochs"], row["state"]) == ("0", 30, "complete")


def test_the_searched_settings_depend_on_the_given_ones(tmp_path):
    usual = TrainConfig()
    assert set(space(usual, TASK, None, ())) == set(SPACE)
    assert "lr" not in space(usual, TASK, None, {"lr"})
    assert "muon_lr" not in space(TrainConfig(optimizer="adamw"), TASK, None, ())
    assert "distribution" not in space(TrainConfig(group="O3"), TASK, None, ())
    assert "features" not in space(TrainConfig(model="schnet"), TASK, None, ())
    energy = of_targets([Target("U0", "meV", atomwise=True)])
    assert "readout" not in space(usual, energy, None, ())
    started = space(TrainConfig(init="qm9"), TASK, None, ())
    assert not {"width", "layers", "distribution", "readout", "features"} & set(started)
    wide = space(TrainConfig(lr=0.5, model_args={"width": 48}), TASK, ["lr", "width"], {"lr"})
    assert wide["lr"] == Range(2e-4, 0.5)
    assert isinstance(wide["width"], Choice)
    assert wide["width"].values[0] == 48
    made = configured(TrainConfig(model_args={"layers": 1}), {"lr": 0.1, "width": 32})
    assert (made.lr, made.model_args) == (0.1, {"layers": 1, "width": 32})
    assert value_of(usual, "layers") == 4


def test_unsearchable_settings_are_refused_in_one_sentence(config, tmp_path, monkeypatch, capsys):
    def refused(*more):
        flags = ["--data", str(SAMPLE), "--targets", "gap", "--out", str(tmp_path / "x"), *more]
        assert main(["tune", *flags]) == 2
        return capsys.readouterr().err

    assert "did you mean 'width'" in refused("--search", "widht")
    assert "the optimizer is adamw" in refused("--search", "muon_lr", "--optimizer", "adamw")
    assert "expected names such as lr,width" in refused("--search", ",")
    assert "--trials: expected 1 or more, got 0" in refused("--trials", "0")
    assert "--minutes: expected a number above 0" in refused("--minutes", "-1")
    assert "unknown target" in refused("--targets", "gab")
    monkeypatch.setattr(module, "train", lambda *a: a[-1](1, 1.0))
    tune(config, 1, search=["lr"])
    with pytest.raises(InputError, match="holds a search of lr in other ranges"):
        tune(config, 1, search=["ema"])
    with pytest.raises(InputError, match="train_size=32, not 16"):
        tune(replace(config, train_size=16), 1, search=["lr"])
    log = tmp_path / "t" / "trials.log"
    log.write_text("{}\n")
    with pytest.raises(InputError, match="damaged"):
        tune(config, 1, search=["lr"])


def test_without_optuna_the_package_is_named(config, monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "optuna":
            raise ImportError
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match=r"pip install 'molinv\[tune\]'"):
        tune(config)


def test_no_test_molecule_is_looked_at(config, monkeypatch):
    def blind(config, workers=0):
        source = prepare(config, workers)
        y = source.molecules.y.copy()
        y[source.parts.test] = np.nan
        return source._replace(molecules=replace(source.molecules, y=y))

    seen = tune(config, 2, search=["lr"])
    for where in (module, run_module):
        monkeypatch.setattr(where, "prepare", blind)
    again = tune(replace(config, out=f"{config.out}-blind"), 2, search=["lr"])
    assert [r["error"] for r in seen.rows] == pytest.approx([r["error"] for r in again.rows])


def test_a_changed_file_is_refused(tmp_path):
    path = tmp_path / "mine.csv"
    rows = [f"{'C' * (1 + i % 7)}O{'C' * (i % 5)},{i / 10}" for i in range(40)]
    path.write_text("\n".join(["smiles,y", *rows]), encoding="utf-8")
    sizes = {"width": 16, "layers": 1, "kernels": 4}
    config = TrainConfig(data=str(path), targets="y", epochs=1, out=str(tmp_path / "t"))
    config = replace(config, accelerator="cpu", model_args=sizes)
    tune(config, 1, search=["lr"])
    with pytest.raises(InputError, match=r"--search distribution: .* is invariant by construction"):
        tune(replace(config, out=str(tmp_path / "u")), 1, search=["distribution"])
    path.write_text("\n".join(["smiles,y", "CCN,3", *rows]), encoding="utf-8")
    with pytest.raises(InputError, match="is no longer the file that"):
        tune(config, 2, search=["lr"])
