"""Probabilities of Peaks that are measured while a network trains."""

import csv
from types import SimpleNamespace

import pytest
from small_run import small

from molinv import distributions as D
from molinv.training import settling
from molinv.training.module import Joint
from molinv.training.run import train


@pytest.fixture
def measured(monkeypatch):
    """The epochs in which probabilities are measured, half-way through each run."""
    epochs, before = [], Joint.settle

    def settle(self, batch, *rest):
        epochs.append((self.current_epoch, len(batch)))
        before(self, batch, *rest)

    monkeypatch.setattr(settling, "WHEN", (0.5,))
    monkeypatch.setattr(Joint, "settle", settle)
    return epochs


def moved(folder):
    """The probability of a rotation other than the identity, after each epoch."""
    with (folder / "metrics.csv").open() as file:
        return [float(row["extent_moved"]) for row in csv.DictReader(file)]


@pytest.fixture(params=["C1", None])
def group(request, monkeypatch):
    """The group that the likely rotations are near to."""
    monkeypatch.setattr(D.Peaks, "complete", lambda mu: SimpleNamespace(symbol=request.param))
    return request.param


def test_probabilities_of_a_group_are_held_also_in_a_resumed_run(tmp_path, measured, group):
    peaks = {"distribution": "Peaks", "distribution_args": {"count": 6}, "group_lr": 0.3}
    folder = train(small(tmp_path / "run", targets="homo", **peaks))
    assert measured == [(2, 32)]
    assert len(set(moved(folder))) == (4 if group else 5)
    before = moved(folder)[-1]
    train(small(tmp_path / "run", targets="homo", epochs=6, **peaks))
    assert measured == [(2, 32)]
    assert (moved(folder)[-1] == before) == (group is not None)


def test_a_group_that_was_wrong_is_given_up(tmp_path, monkeypatch):
    found = iter(["C2", None])
    monkeypatch.setattr(settling, "WHEN", (0.25, 0.75))
    monkeypatch.setattr(D.Peaks, "complete", lambda mu: SimpleNamespace(symbol=next(found)))
    peaks = {"distribution": "Peaks", "distribution_args": {"count": 6}, "group_lr": 0.01}
    _, first, second, third, last = moved(train(small(tmp_path, targets="homo", **peaks)))
    assert second == third
    assert abs(second - first) > 0.05  # measured
    assert abs(last - first) < 0.05  # as before the first measurement


def test_other_distributions_are_not_measured(tmp_path, measured):
    train(small(tmp_path / "run", targets="homo", epochs=2))
    assert not measured


class Bar:
    """The progress of a training, that counts."""

    def __init__(self):
        self.rows = {}

    def add_task(self, description, total):
        self.rows[description] = [total, 0]
        return description

    def update(self, row, completed, refresh):
        self.rows[row][1] = completed

    def remove_task(self, row):
        self.rows[row].append("removed")


def test_measurements_are_a_row_of_the_progress_bar(tmp_path, measured, group, monkeypatch):
    bar = Bar()
    monkeypatch.setattr(settling.pl.Trainer, "progress_bar_callback", SimpleNamespace(progress=bar))
    peaks = {"distribution": "Peaks", "distribution_args": {"count": 6}}
    train(small(tmp_path, targets="homo", **peaks))
    total = 2 * 7 + 6 * settling.STEPS
    assert bar.rows == {"Measuring rotations": [total, total, "removed"]}
