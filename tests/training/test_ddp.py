"""Two processes on the CPU, by Lightning's own flags."""

import subprocess
import sys

from small_run import SMALL

from molinv.training.saved import load


def test_two_processes_train_together(tmp_path):
    out = tmp_path / "ddp"
    command = [sys.executable, "-m", "molinv", "train", *SMALL, "--epochs", "1", "--out", str(out)]
    command += ["--devices", "2", "--strategy", "ddp"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert load(out).card["epoch"] == 1
