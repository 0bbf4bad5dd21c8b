"""Mutated real files, read in a process with limits on time and memory."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from attacks import SECONDS, real_files

from molinv.chem.readers import READERS

HERE = Path(__file__).with_name("attacks.py")


def attack(count, folder, seed=0):
    """Statistics of `count` attacks; fails unless the process ends normally."""
    one = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    command = [sys.executable, "-W", "error", str(HERE), str(seed), str(count), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | one)
    assert done.returncode == 0, done.stderr[-2000:]
    assert not done.stderr
    found = json.loads(done.stdout)
    assert found["cases"] == count
    assert found["seconds"] < SECONDS  # processor time, which other processes do not change
    assert found["MiB"] < 2048
    assert min(found[kind] for kind in ("Structure", "Rejected", "InputError")) > count / 20
    return found


def test_240_attacks(tmp_path):
    attack(240, tmp_path)


@pytest.mark.slow
def test_ten_thousand_attacks(tmp_path):
    attack(10_000, tmp_path, seed=6)


def test_every_reader_is_attacked_packed_and_unpacked(tmp_path):
    assert set(real_files(tmp_path)) == {*READERS, *(f"{ending}.gz" for ending in READERS)}
