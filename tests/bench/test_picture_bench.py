"""`molinv bench pictures`: shared settings, resumable runs, a table and a figure."""

import json
from dataclasses import asdict
from inspect import signature

import pytest

from molinv.bench import pictures
from molinv.bench.pictures.results import pairs
from molinv.bench.pictures.tasks import METHODS, TASKS
from molinv.cli import main
from molinv.datasets.pictures import available
from molinv.training.module import Diverged
from molinv.training.picture_config import PictureConfig

ONE = ("lam", "lam_start", "settle", "wait", "group_lr", "lr", "muon_lr", "optimizer", "copies")


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("method", METHODS)
def test_all_tasks_and_methods_share_one_setting(name, method):
    lam = signature(pictures.main).parameters["lam"].default
    config = asdict(PictureConfig(**pictures.configure(TASKS[name], method, 3, lam)))
    plain = asdict(PictureConfig())
    assert config["seed"] == 3
    assert {k: config[k] for k in ONE} == {k: plain[k] for k in ONE}
    assert config["data"] in available()
    learned = config["distribution"] == "UniformBox"
    assert config["distribution_args"] == ({"init": 0.05} if learned else {})


def test_every_truth_is_within_the_accepted_range():
    for task in TASKS.values():
        assert task.low <= (task.low if task.truth is None else task.truth) <= task.high
    assert [TASKS[name].judged for name in ("position", "shear")] == [("tx", "ty"), ("shear",)]
    assert TASKS["position"].reach({"tx": 0.01, "ty": 0.04, "rotation": 3.0}) == 0.04
    assert TASKS["hue"].reach({"hue": 0.5}) == pytest.approx(28.65, abs=0.01)
    assert [TASKS[f"digits-k{k}"].truth for k in (1, 2, 3, 6)] == [180, 90, 60, 30]
    assert [(t.low, t.high) for t in (TASKS["digits-k6"], TASKS["digits-angle"])] == [
        pytest.approx((27, 33)),
        (0, 5),
    ]


def test_a_finished_run_is_not_run_again(tmp_path, capsys, monkeypatch):
    flags = ["--out", str(tmp_path), "--tasks", "digits-k3", "--seeds", "0", "--copies", "1"]
    flags += ["--methods", "none,learned"]
    assert main(["bench", "pictures", "--quick", *flags]) == 0
    assert "digits-k3" in capsys.readouterr().out
    rows = json.loads((tmp_path / "pictures.json").read_text())
    assert [row["method"] for row in rows] == ["none", "learned"]
    assert rows[0]["half_width"] == 0
    assert rows[1]["truth"] == 60
    assert len(rows[1]["history"]) == 3
    assert (tmp_path / "extents.png").stat().st_size > 5000

    def never(config):
        raise AssertionError("ran again")

    monkeypatch.setattr(pictures, "train", never)
    assert main(["bench", "pictures", "--quick", *flags]) == 0
    capsys.readouterr()
    assert main(["bench", "pictures", "--quick", *flags, "--lam", "0.3"]) == 2
    assert "lam=None, not 0.3" in capsys.readouterr().err


def test_a_diverged_run_is_left_out_of_the_table(tmp_path, capsys, monkeypatch):
    train = pictures.train

    def diverges(config):
        if config.distribution == "Haar":
            raise Diverged("the loss became NaN")
        return train(config)

    monkeypatch.setattr(pictures, "train", diverges)
    flags = ["--out", str(tmp_path), "--tasks", "digits-k3", "--seeds", "0", "--copies", "1"]
    assert main(["bench", "pictures", "--quick", *flags, "--methods", "none,fixed"]) == 0
    assert "digits-k3-fixed-0: diverged" in capsys.readouterr().out
    rows = json.loads((tmp_path / "pictures.json").read_text())
    assert [row["method"] for row in rows] == ["none"]
    assert main(["bench", "pictures", "--quick", *flags, "--methods", "fixed"]) == 2
    assert "all runs diverged" in capsys.readouterr().err


def test_a_group_without_haar_has_no_fixed_and_reports_its_other_extents(tmp_path, capsys):
    flags = ["--out", str(tmp_path), "--tasks", "position", "--seeds", "0", "--copies", "1"]
    assert main(["bench", "pictures", "--quick", *flags]) == 0
    shown = capsys.readouterr().out
    rows = json.loads((tmp_path / "pictures.json").read_text())
    assert [row["method"] for row in rows] == ["none", "learned"]
    extents = rows[1]["extents"]
    assert set(extents) == {"tx", "ty", "rotation", "scale", "stretch", "shear"}
    assert rows[1]["half_width"] == max(extents["tx"], extents["ty"])
    assert f"rotation {extents['rotation']:.3f}" in shown


def test_paired_differences_have_a_student_t_interval():
    rows = [
        {"task": "hue", "method": m, "seed": s, "metric": "x", "errors": {"averaged": v + s}}
        for m, values in {"learned": (3.0, 4.0, 5.0), "none": (1.0, 1.0, 1.0)}.items()
        for s, v in enumerate(values)
    ]
    (line,) = pairs(rows, [TASKS["hue"]])
    assert "learned - none: +3.0000 +- 2.4841 over 3 seeds" in line  # 4.3027 / sqrt 3


@pytest.mark.parametrize(
    ("flags", "hint"),
    [
        (["--tasks", "digits-k9"], "did you mean"),
        (["--tasks", "camvid"], "--root"),
        (["--methods", "learnt"], "did you mean 'learned'"),
        (["--seeds", "a"], "whole numbers"),
        (["--tasks", "hue,hue"], "different"),
        (["--tasks", "shear,scale", "--methods", "fixed"], "no uniform distribution"),
    ],
)
def test_bad_flags_are_reported_in_one_sentence(flags, hint, capsys, tmp_path):
    assert main(["bench", "pictures", "--quick", "--out", str(tmp_path / "a"), *flags]) == 2
    error = capsys.readouterr().err
    assert hint in error
    assert error.count("\n") == 1
