"""A grid of runs: which runs are skipped, measured, refused and reported."""

import json
from dataclasses import dataclass

import pytest
import yaml
from rich.console import Console

from molinv.bench.grid import Run, finish, history
from molinv.errors import InputError
from molinv.training.module import Diverged


@dataclass
class Config:
    """A run's settings."""

    out: str = ""
    root: str = ""
    epochs: int = 1
    later: int = 7


def made(folder, count=2, measure=None, test=None, **settings):
    """The results of `count` runs, whether a report was due, and the runs that were measured."""
    measured = []

    def run(i):
        out = folder / f"run{i}"

        def work():
            measured.append(i)
            return measure() if measure else {"value": i}

        config = Config(str(out), **settings)
        return Run(f"run{i}", out / "result.json", config, work, test or {}, {"number": i})

    found = list(finish((run(i) for i in range(count)), count, Console(quiet=True)))
    return [r for r, _ in found], [due for _, due in found], measured


def test_only_missing_runs_are_measured_and_reported(tmp_path):
    results, due, measured = made(tmp_path, 3)
    assert (due, measured) == ([True] * 3, [0, 1, 2])
    assert [(r["number"], r["value"], r["settings"]["epochs"]) for r in results] == [
        (i, i, 1) for i in range(3)
    ]
    assert made(tmp_path, 3) == (results, [False, False, True], [])
    (tmp_path / "run1/result.json").unlink()
    assert made(tmp_path, 3)[1:] == ([False, True, True], [1])


def test_results_with_other_settings_are_refused(tmp_path):
    made(tmp_path, test={"copies": 8})
    assert made(tmp_path, test={"copies": 8}, root="elsewhere")[2] == []
    with pytest.raises(InputError, match="holds a run with epochs=1, not 2"):
        made(tmp_path, test={"copies": 8}, epochs=2)
    with pytest.raises(InputError, match="copies=8, not 4"):
        made(tmp_path, test={"copies": 4})


def test_a_missing_setting_counts_as_its_default(tmp_path):
    made(tmp_path, 1)
    path = tmp_path / "run0/result.json"
    result = json.loads(path.read_text())
    del result["settings"]["later"]
    path.write_text(json.dumps(result))
    assert made(tmp_path, 1)[2] == []
    with pytest.raises(InputError, match="later=7, not 8"):
        made(tmp_path, 1, later=8)


def test_settings_missing_in_a_result_are_read_from_its_run(tmp_path):
    path = tmp_path / "run0/result.json"
    path.parent.mkdir()
    path.write_text('{"value": 5}')
    (tmp_path / "run0/config.yaml").write_text(yaml.safe_dump({"epochs": 1}))
    results, _, measured = made(tmp_path, 1)
    assert (results, measured) == ([{"value": 5}], [])
    with pytest.raises(InputError, match="epochs=1, not 2"):
        made(tmp_path, 1, epochs=2)


def test_a_diverged_run_is_a_result_and_not_trained_again(tmp_path):
    def diverges():
        raise Diverged("the loss became NaN")

    ((result,), _, measured) = made(tmp_path, 1, diverges)
    assert (result["failed"], result["number"], measured) == ("the loss became NaN", 0, [0])
    assert made(tmp_path, 1) == ([result], [True], [])


@pytest.mark.parametrize("text", ["{", "[]", "", '{"settings": [1]}', '{"settings": {}}'])
def test_a_damaged_result_is_reported_in_one_sentence(text, tmp_path):
    made(tmp_path, 1)
    (tmp_path / "run0/result.json").write_text(text)
    with pytest.raises(InputError, match=r"result\.json is damaged"):
        made(tmp_path, 1)


def test_settings_of_the_test_are_kept_apart_from_those_of_the_run(tmp_path):
    results = made(tmp_path, 1, test={"epochs": 8, "labels": (1, 2)})[0]
    assert results[0]["settings"]["epochs"] == 1
    assert made(tmp_path, 1, test={"epochs": 8, "labels": (1, 2)})[2] == []
    with pytest.raises(InputError, match="epochs=8, not 9"):
        made(tmp_path, 1, test={"epochs": 9})


def test_results_of_earlier_versions_have_both_in_one(tmp_path):
    made(tmp_path, 1, test={"copies": 8})
    path = tmp_path / "run0/result.json"
    result = json.loads(path.read_text())
    result["settings"] |= result.pop("test")
    path.write_text(json.dumps(result))
    assert made(tmp_path, 1, test={"copies": 8})[2] == []
    with pytest.raises(InputError, match="copies=8, not 4"):
        made(tmp_path, 1, test={"copies": 4})


def test_an_interrupted_run_of_another_length_is_refused(tmp_path):
    folder = tmp_path / "run0"
    folder.mkdir()
    (folder / "config.yaml").write_text(yaml.safe_dump({"epochs": 300}))
    with pytest.raises(InputError, match=r"run0 holds an interrupted run with epochs=300, not 70"):
        made(tmp_path, 1, epochs=70)
    assert made(tmp_path, 1, epochs=300)[2] == [0]
    (tmp_path / "run1").mkdir()
    (tmp_path / "run1/config.yaml").write_text("a: [")
    with pytest.raises(InputError, match="is damaged"):
        made(tmp_path, 2, epochs=300)


@pytest.mark.parametrize(
    ("own", "told"),
    [("runs/a", "runs/a."), ("", "runs/a/result.json."), ("b", "runs/a/result.json and {root}/b.")],
)
def test_nobody_is_told_to_delete_the_whole_benchmark(tmp_path, own, told):
    def run(epochs):
        config = Config(str(tmp_path / own), epochs=epochs)
        return Run("a", tmp_path / "runs/a/result.json", config, dict)

    list(finish([run(1)], 1, Console(quiet=True)))
    with pytest.raises(InputError) as error:
        list(finish([run(2)], 1, Console(quiet=True)))
    assert str(error.value).endswith(f"or delete {tmp_path}/{told.format(root=tmp_path)}")


def test_a_run_without_metrics_has_no_history(tmp_path):
    assert history(tmp_path) == []
    (tmp_path / "metrics.csv").write_text("epoch,x\n0,1\n1,\n")
    assert history(tmp_path) == [{"epoch": "0", "x": "1"}, {"epoch": "1", "x": ""}]
