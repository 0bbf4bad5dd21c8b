"""Timing in turn, and the molecules for it."""

import math
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import torch

from molinv.bench import batches as made
from molinv.bench import turns
from molinv.bench.turns import Spread, Task, in_turn, ratios, ticks
from molinv.datasets import load

SAMPLE = str(Path(__file__).parents[2] / "data" / "qm9_sample")
CPU = torch.device("cpu")


def test_ratios_are_taken_within_rounds():
    assert ratios([1.0, 10.0, 4.0], [1.0, 5.0, 1.0]) == Spread(2.0, 1.0, 4.0)


def test_every_task_takes_its_turn_in_every_round():
    calls, told = [], []
    batches = [made.random_batch(2, 3, CPU), made.random_batch(1, 4, CPU)]
    tasks = {n: Task(lambda batch, n=n: calls.append((n, len(batch))), batches) for n in "abc"}
    seconds = in_turn(tasks, 3, 0.0, told.append)
    assert [len(v) for v in seconds.values()] == [3, 3, 3]
    assert len(told) == ticks(tasks, 3) == 12
    measured = calls[3:]  # after one warm-up call per task
    assert measured == [(n, size) for n in "abcbcacab" for size in (2, 1)]


def test_short_tasks_are_repeated(monkeypatch):
    calls, readings = [], count()
    monkeypatch.setattr(turns, "perf_counter", lambda: next(readings) / 1024)
    tasks = {"a": Task(calls.append, [made.random_batch(1, 3, CPU)])}
    in_turn(tasks, 1, 10 / 1024, lambda text: None)
    assert len(calls) > 10


@pytest.mark.parametrize(("size", "count", "expected"), [(16, 4, 4), (300, 5, 3), (4000, 2, 1)])
def test_real_batches_are_the_trainers_from_small_to_large(size, count, expected):
    found = made.real_batches(SAMPLE, size, count, CPU)
    assert [len(b) for b in found] == [min(size, 1000)] * expected
    atoms = [int(b.mask.sum()) for b in found]
    assert atoms == sorted(atoms)
    assert all(int(b.mask.sum(1).max()) == b.pos.shape[1] for b in found)


@pytest.mark.parametrize("atoms", [10, 200])
def test_random_molecules_have_the_same_density_at_any_size(atoms):
    batch = made.random_batch(50, atoms, CPU)
    assert batch.mask.all()
    assert batch.pos.shape == (50, atoms, 3)
    radius = (3 * made.VOLUME * atoms / (4 * math.pi)) ** (1 / 3)
    # half the points of a uniform ball are within 0.794 of its radius
    inside = (batch.pos.norm(dim=-1) < radius / 2 ** (1 / 3)).float().mean()
    assert abs(inside - 0.5) < 3 * 0.5 / math.sqrt(50 * atoms)
    assert batch.pos.norm(dim=-1).max() < radius * 1.0001


def test_the_density_is_that_of_qm9():
    molecules, near, pairs = load(SAMPLE), 0, 0
    for i in np.flatnonzero(molecules.sizes == 18):
        pos = torch.tensor(molecules.pos[molecules.ptr[i] : molecules.ptr[i + 1]])
        near, pairs = near + int((torch.pdist(pos) < 5).sum()), pairs + 18 * 17 // 2
    random = torch.stack([torch.pdist(pos) for pos in made.random_batch(100, 18, CPU).pos])
    assert abs(near / pairs - float((random < 5).float().mean())) < 0.05
