"""Two processes on the CPU, by Lightning's own flags, against one."""

import csv
import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from patience import PATIENCE
from small_run import SMALL, small

from molinv.training.run import train
from molinv.training.saved import load

SCRIPT = """
import json, sys
from molinv.training.config import TrainConfig
from molinv.training.run import train

if __name__ == "__main__":
    train(TrainConfig(**json.loads(sys.argv[1]), devices=2, strategy="ddp"))
"""


def curve(folder):
    with (folder / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def start(command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    return done


def in_two(tmp_path, config):
    """Run a config in two processes."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    given = {k: v for k, v in vars(config).items() if k not in ("devices", "strategy")}
    return start([sys.executable, str(script), json.dumps(given)])


def test_two_processes_give_the_curve_of_one(tmp_path):
    # uneven batches: processes get 8 and 7 of 15 molecules, and 6 and 5 in the last step
    uneven = {"train_size": 101, "batch_size": 15, "valid_size": 33, "copies": 2, "epochs": 3}
    uneven |= {"targets": "homo,mu", "warmup": 3, "ema": 0.8, "distribution_args": {"init": 1.5}}
    one, two = tmp_path / "one", tmp_path / "two"
    train(small(one, **uneven))
    in_two(tmp_path, small(two, **uneven))
    rows = curve(one), curve(two)
    assert len(rows[0]) == len(rows[1]) == 4
    for here, there in zip(*rows, strict=True):
        assert here.keys() == there.keys()
        for name in here.keys() - {"seconds", "train_seconds"}:
            if here[name] or there[name]:
                assert float(there[name]) == pytest.approx(float(here[name]), rel=1e-4), name
    assert float(rows[0][-1]["train_error"]) < float(rows[0][1]["train_error"])
    weights = [load(f).network.state_dict() for f in (one, two)]
    assert all((weights[0][k] - weights[1][k]).abs().max() < 1e-4 for k in weights[0])


def test_classes_of_pictures_in_two_processes(tmp_path):
    out = tmp_path / "ddp"
    few = ["--train_size", "32", "--valid_size", "8", "--batch_size", "16", "--epochs", "1"]
    command = [sys.executable, "-m", "molinv", "train", "pictures", "--data", "up_down", *few]
    command += ["--accelerator", "cpu", "--devices", "2", "--strategy", "ddp"]
    start([*command, "--model_args", '{"width": 8}', "--out", str(out)])
    assert load(out).task.called() == "classes"


def test_processes_stop_together_when_the_minutes_are_over(tmp_path):
    done = in_two(tmp_path, small(tmp_path / "a", epochs=None, minutes=0.02))
    last = curve(tmp_path / "a")[-1]
    assert float(last["train_seconds"]) >= 1.2, done.stderr


@pytest.mark.parametrize(("sent", "code"), [("SIGTERM", 143), ("SIGINT", 130)])
@pytest.mark.parametrize("every", [True, False])
def test_a_signal_to_one_or_to_all_processes_ends_the_run(tmp_path, sent, code, every):
    out = tmp_path / "ddp"
    command = [sys.executable, "-m", "molinv", "train", *SMALL, "--epochs", "500"]
    command += ["--devices", "2", "--strategy", "ddp", "--out", str(out)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    last = out / "checkpoints" / "last.ckpt"
    while not last.exists() and process.poll() is None:
        time.sleep(0.05)
    (os.killpg if every else os.kill)(process.pid, getattr(signal, sent))
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == code, errors[-2000:]
    assert "Traceback" not in errors
    assert errors.count("resumes from") == 1
    assert torch.load(last, weights_only=True)["epoch"] >= 0


def test_the_command_line_starts_processes(tmp_path):
    out = tmp_path / "ddp"
    command = [sys.executable, "-m", "molinv", "train", *SMALL, "--epochs", "1", "--out", str(out)]
    start([*command, "--devices", "2", "--strategy", "ddp"])
    assert load(out).card["epoch"] == 1
