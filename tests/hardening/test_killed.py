"""A run that is killed with SIGKILL resumes to the same bits as an uninterrupted run."""

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import asdict

import pytest
import torch
import yaml
from patience import until
from small_run import small

from molinv.training.run import train
from molinv.training.saved import read

# `molinv` that kills itself halfway through the first file that follows a number of checkpoints
WRITING = """
import os, signal, sys
from molinv import atomic, cli

checkpoints, epochs = int(sys.argv[1]), 0

def half(path):
    global epochs
    if epochs == checkpoints:
        os.truncate(path, path.stat().st_size // 2)
        os.kill(os.getpid(), signal.SIGKILL)
    epochs += path.name.endswith(".last.ckpt.part")

atomic._to_disk = half
sys.exit(cli.main(sys.argv[2:]))
"""


def start(folder, changes, checkpoints=None):
    """Start `molinv train` with a config in a new process, which may kill itself (see WRITING)."""
    config = folder.with_suffix(".yaml")
    config.write_text(yaml.safe_dump(asdict(small(folder, **changes))))
    way = ["-m", "molinv"] if checkpoints is None else ["-c", WRITING, str(checkpoints)]
    command = [sys.executable, *way, "train", "--config", str(config)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def kill(folder, changes, moment, chance):
    """Start or resume a run and kill it; returns whether it was killed before its end.

    `moment` is "anywhere" (at any time from the start of Python), "later" (after a checkpoint) or
    "writing" (it kills itself while it writes a file).
    """
    if moment == "writing":
        ended = start(folder, changes, chance.randint(1, 2)).wait()
        assert any(folder.rglob("*.part")) == (ended == -signal.SIGKILL)
        return ended == -signal.SIGKILL
    last = folder / "checkpoints" / "last.ckpt"
    before = last.stat().st_mtime_ns if last.exists() else 0
    process = start(folder, changes)

    def written():
        return last.exists() and last.stat().st_mtime_ns != before

    try:
        if moment == "anywhere":
            time.sleep(chance.uniform(0, 12))
        else:
            until(lambda: written() or process.poll() is not None)
            time.sleep(chance.uniform(0, 1.5))
        alive = process.poll() is None
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    return alive


def same(one, other):
    """Assert that two runs have equal weights and equal tensors in their checkpoints."""
    for here, there in zip(
        (read(one)[1], tensors(one)), (read(other)[1], tensors(other)), strict=True
    ):
        assert here.keys() == there.keys()
        for name, value in here.items():
            assert torch.equal(value, there[name]), name


def tensors(folder):
    """All tensors in the last checkpoint, by their position in it."""
    state = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    found = {}

    def collect(at, value):
        if isinstance(value, torch.Tensor):
            found[at] = value
        elif isinstance(value, dict):
            for key, inner in value.items():
                collect(f"{at}.{key}", inner)
        elif isinstance(value, list | tuple):
            for key, inner in enumerate(value):
                collect(f"{at}.{key}", inner)

    collect("", {key: state[key] for key in ("state_dict", "optimizer_states", "global_step")})
    assert len(found) > 20
    return found


def hold(tmp_path, kills, epochs, moments):
    chance, killed = random.Random(6), []
    changes = {"epochs": epochs, "ema": 0.9}
    train(small(tmp_path / "whole", **changes))
    for number in range(kills):
        moment = moments[number % len(moments)]
        assert kill(tmp_path / "parts", changes, moment, chance), f"kill {number}: it had ended"
        killed.append(moment)
    assert not (tmp_path / "parts" / "conformal.json").exists()  # written at the end of a run
    train(small(tmp_path / "parts", **changes))
    same(tmp_path / "whole", tmp_path / "parts")
    assert not list((tmp_path / "parts").rglob("*.part"))
    return killed


def test_a_run_killed_twice_is_resumed_to_the_same_bits(tmp_path):
    hold(tmp_path, 2, 7, ["writing", "writing"])


@pytest.mark.slow
def test_a_run_killed_at_twenty_random_moments_is_resumed_to_the_same_bits(tmp_path):
    moments = ["later", "writing", "anywhere", "later", "writing"]
    assert len(hold(tmp_path, 20, 400, moments)) == 20
    assert os.path.getsize(tmp_path / "parts" / "model.safetensors") > 1000
