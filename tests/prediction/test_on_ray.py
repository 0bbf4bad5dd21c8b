"""Predict the same library on a local Ray cluster of two workers."""

import os
import subprocess
import sys
import warnings

import pyarrow.parquet as pq
import pytest
from patience import PATIENCE
from small_library import BAD

from molinv.cli import main
from molinv.errors import InputError
from molinv.prediction.library import predict_library

SCRIPT = """
import sys

import ray

from molinv.prediction.library import predict_library

if __name__ == "__main__":
    library, model, out = sys.argv[1:]
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    assert ray.cluster_resources()["CPU"] == 2
    options = dict(copies=2, chunk=4, progress=False, engine="ray")
    print(predict_library(library, out, model, **options))
"""


def same(one, other):
    a, b = (pq.read_table(path).to_pylist() for path in (one, other))
    assert len(a) == len(b) == 22
    for x, y in zip(a, b, strict=True):
        assert x.keys() == y.keys()
        for name, value in x.items():
            if isinstance(value, float) and isinstance(y[name], float):
                value = pytest.approx(value, rel=1e-4, abs=1e-2)
            assert y[name] == value, name
    return a


@pytest.mark.slow
def test_two_workers_give_the_rows_of_one_process(model, library, tmp_path):
    pytest.importorskip("ray")
    script, out, local = (tmp_path / n for n in ("r.py", "ray.parquet", "local.parquet"))
    script.write_text(SCRIPT)
    environment = os.environ | {"RAY_USAGE_STATS_ENABLED": "0"}
    command = [sys.executable, str(script), str(library), str(model), str(out)]
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stderr
    assert "rows=22, failed=3" in done.stdout
    predict_library(library, local, model, copies=2, progress=False)
    found = same(out, local)
    assert {i for i, row in enumerate(found) if row["error"]} == set(BAD)
    assert not (tmp_path / "ray.parquet.parts").exists()


@pytest.mark.slow
def test_a_run_is_resumed_by_the_other_engine(model, library, tmp_path, monkeypatch):
    pytest.importorskip("ray")
    from molinv.prediction.library import run as module

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    out, calls, tabulate = tmp_path / "out.parquet", [], module.tabulate

    def failing(*args):
        calls.append(args)
        if len(calls) > 2:
            raise KeyboardInterrupt
        return tabulate(*args)

    options = {"copies": 2, "chunk": 5, "progress": False}
    with monkeypatch.context() as patch:
        patch.setattr(module, "tabulate", failing)
        with pytest.raises(KeyboardInterrupt):
            predict_library(library, out, model, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ray itself warns
        done = predict_library(library, out, model, workers=2, engine="ray", **options)
    assert (done.resumed, done.rows, done.failed) == (10, 22, 3)
    predict_library(library, tmp_path / "local.parquet", model, **options)
    same(out, tmp_path / "local.parquet")


def test_without_ray_it_says_what_to_install(model, library, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"molinv\[ray\]"):
        predict_library(library, tmp_path / "o.parquet", model, progress=False, engine="ray")


def test_an_unknown_engine_is_named(model, library, tmp_path, capsys):
    with pytest.raises(InputError, match="did you mean 'ray'"):
        predict_library(library, tmp_path / "o.parquet", model, progress=False, engine="rya")
    assert main(["predict", str(model), str(library), "-o", "o.parquet", "--engine", "x"]) == 2
    assert "invalid choice" in capsys.readouterr().err
