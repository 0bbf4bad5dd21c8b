"""If the disk becomes full while a file is written, the earlier file is unchanged."""

import ast
import resource
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import yaml
from small_run import small

import molinv
from molinv.chem.structure import Rejected
from molinv.datasets import storage
from molinv.datasets.molecules import Target
from molinv.errors import InputError
from molinv.prediction import output
from molinv.prediction.applicability_domain import FeatureSpace
from molinv.prediction.library.shards import Shards
from molinv.tasks import of_targets
from molinv.training.build import make_network
from molinv.training.checkpoint import SafeCheckpoints
from molinv.training.history import write_csv
from molinv.training.run import write_config
from molinv.training.saved import load, save, write_json
from molinv.training.source import write_rejected

TARGET = Target("gap", "meV", "lumo minus homo")
SETTINGS = dict(
    model="point",
    model_args={"width": 16, "layers": 1, "kernels": 4},
    group="SO3",
    distribution="HaarBall",
    distribution_args={},
    copies=1,
)


@contextmanager
def full(limit: int):
    """Limit the size of files to `limit` bytes; writing more is an OSError (file too large)."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def model(folder, seed):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = make_network(1, **SETTINGS)
    facts = {"elements": [1, 6], "atoms": [3, 29], "placement": {"center": True, "shift": 0.0}}
    save(folder, network, of_targets((TARGET,)), SETTINGS, facts | {"seed": seed})


def rows(count):
    return [{"name": f"m{i}", "gap": i / 7} for i in range(count)]


def library(folder, count, ending):
    table = pa.table({"row": range(count), "error": pa.nulls(count, pa.string())})
    with Shards(folder / f"out.{ending}", {"n": count}, count, count) as shards:
        if not shards.done():
            shards.write(0, table)
        with full(100) if count > 5 else full(10**9):
            shards.join(table.schema)


def page(folder, size):
    from molinv.analysis.report.page import _save

    _save(folder / "report.html", "x" * size)


def picture(folder, size):
    from matplotlib.figure import Figure

    from molinv.training.curves import _save

    figure = Figure()
    figure.text(0, 0, str(size))
    _save(figure, folder / "a.png")


def checkpoint(folder, size):
    SafeCheckpoints().save_checkpoint({"x": torch.zeros(size)}, folder / "last.ckpt")


# by name: a function that writes a file of about a size into a folder
WRITERS = {
    "model": lambda folder, size: model(folder, size),
    "json": lambda folder, size: write_json(folder / "a.json", list(range(size))),
    "config": lambda folder, size: write_config(folder, small("x" * size)),
    "metrics": lambda folder, size: write_csv(folder / "metrics.csv", rows(size)),
    "rejected": lambda folder, size: write_rejected(
        folder / "rejected.csv", [Rejected("a", "b", "c")] * size
    ),
    "checkpoint": checkpoint,
    "domain": lambda folder, size: FeatureSpace(torch.zeros(9), torch.zeros(9, size)).save(folder),
    "csv": lambda folder, size: output.write(folder / "a.csv", rows(size)),
    "json rows": lambda folder, size: output.write(folder / "b.json", rows(size)),
    "report": page,
    "picture": picture,
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_leaves_the_old_file(name, tmp_path):
    write = WRITERS[name]
    write(tmp_path, 3)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*")}
    assert before
    with full(100), pytest.raises(InputError, match=r"cannot write .*too large; an earlier file"):
        write(tmp_path, 4000)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*")} == before
    write(tmp_path, 5)  # it works again when there is space
    assert {p: p.read_bytes() for p in tmp_path.rglob("*")} != before


def test_weights_and_description_always_belong_together(tmp_path):
    model(tmp_path, 1)
    weights = (tmp_path / "model.safetensors").stat().st_size
    for limit in (0, 10, 900, weights - 1):
        with full(limit), pytest.raises(InputError, match="cannot write"):
            model(tmp_path, 2)
        assert load(tmp_path).card["seed"] == 1
    with full(weights):
        model(tmp_path, 2)
    assert load(tmp_path).card["seed"] == 2


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_a_full_disk_keeps_the_finished_parts_of_a_library(ending, tmp_path):
    library(tmp_path, 5, ending)
    before = (tmp_path / f"out.{ending}").read_bytes()
    with pytest.raises(InputError, match="cannot write"):
        library(tmp_path, 500, ending)
    assert (tmp_path / f"out.{ending}").read_bytes() == before
    assert len(pq.read_table(tmp_path / f"out.{ending}.parts" / "00000000.parquet")) == 500
    table = pa.table({"row": range(4), "error": pa.nulls(4, pa.string())})
    with (
        Shards(tmp_path / "b.parquet", {}, 4, 4) as shards,
        full(100),
        pytest.raises(InputError, match="cannot write"),
    ):
        shards.write(0, table)
    assert [p.name for p in (tmp_path / "b.parquet.parts").iterdir()] == ["manifest.json"]


def test_a_full_disk_leaves_no_cache(tmp_path):
    arrays = {"a": np.arange(3.0), "b": np.arange(4000.0)}
    with full(8000), pytest.raises(InputError, match="cannot write"):
        storage.write(tmp_path / "set", arrays, {})
    assert not list(tmp_path.iterdir())
    storage.write(tmp_path / "set", arrays, {})
    assert (storage.read(tmp_path / "set")[0]["b"] == arrays["b"]).all()


def test_a_run_stopped_by_a_full_disk_says_so_and_can_be_resumed(tmp_path, capsys):
    from molinv.cli import main

    config = tmp_path / "c.yaml"
    config.write_text(yaml.safe_dump(vars(small(tmp_path / "run", epochs=1))))
    with full(20_000):
        assert main(["train", "--config", str(config)]) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith("molinv: error: cannot write")
    assert main(["train", "--config", str(config)]) == 0
    load(tmp_path / "run")


# these write to folders that are renamed when complete, or figures of benchmarks
WRITES = {"write_text", "write_bytes", "savefig", "write_table", "save_file"}
ELSEWHERE = {"datasets/storage.py", "pretrained/ship.py", "bench"}


def test_everything_is_written_by_atomic_write():
    root, found = Path(molinv.__file__).parent, []
    for path in root.rglob("*.py"):
        name = str(path.relative_to(root))
        if name in ELSEWHERE or name.split("/")[0] in ELSEWHERE:
            continue
        tree = ast.parse(path.read_text())
        inside = [
            (n.lineno, n.end_lineno)
            for n in ast.walk(tree)
            if isinstance(n, ast.With)
            and any("atomic_write" in ast.unparse(i.context_expr) for i in n.items)
        ]
        for n in ast.walk(tree):
            called = isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute) and n.func.attr
            if called in WRITES and not any(a <= n.lineno <= (b or a) for a, b in inside):
                found.append(f"{name}:{n.lineno}: {called}")
    assert not found
