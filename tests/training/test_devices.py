"""Training that is compiled, in bfloat16, or on a GPU has the same losses."""

import csv
import shutil

import pytest
import torch
from small_run import small

from molinv.training.run import train


def column(folder, name="train_loss"):
    with (folder / "metrics.csv").open() as file:
        return [float(row[name]) for row in csv.DictReader(file) if row[name]]


def test_bfloat16_on_the_cpu_comes_near(tmp_path):
    train(small(tmp_path / "full", epochs=2))
    train(small(tmp_path / "half", epochs=2, precision="bf16-mixed"))
    full, half = column(tmp_path / "full"), column(tmp_path / "half")
    assert half == pytest.approx(full, rel=0.02)
    assert half != full


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # torch warns of calls that dynamo itself makes
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a compiler")
def test_compiled_and_eager_networks_give_the_same_losses(tmp_path):
    # one step, and a validation that shows its effect: every compilation takes long
    for compiled in (False, True):
        train(small(tmp_path / str(compiled), compile=compiled, epochs=1, train_size=64, warmup=0))
    for name in ("train_loss", "homo_stored"):
        eager, compiled = (column(tmp_path / folder, name) for folder in ("False", "True"))
        assert compiled == pytest.approx(eager, rel=1e-4)


@pytest.mark.gpu
@pytest.mark.filterwarnings("ignore")  # torch warns of calls that dynamo itself makes
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_an_epoch_on_a_gpu_compiled_and_in_bfloat16(tmp_path):
    train(small(tmp_path / "cpu", epochs=1))
    settings = {"accelerator": "gpu", "devices": 1, "precision": "bf16-mixed", "compile": True}
    train(small(tmp_path / "gpu", epochs=1, **settings))
    assert column(tmp_path / "gpu") == pytest.approx(column(tmp_path / "cpu"), rel=0.02)
