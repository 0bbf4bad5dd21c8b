"""The weight of the reward under a bound on the cost of motion."""

import csv

import pytest
import torch
from small_run import small

from molinv.errors import InputError
from molinv.training.allowance import EVERY, LEAST, MOST, Allowance
from molinv.training.config import TrainConfig
from molinv.training.run import train
from molinv.training.schedule import Schedule


def settled(cost, steps=20_000, allowed=0.02, weight=0.07):
    """The final width w for the reward w / pi and the cost `cost(w)`."""
    w = torch.tensor(0.05, requires_grad=True)
    steer = Allowance(allowed, weight)
    for step in range(steps):
        error = 0.1 + cost(w)
        (error - steer.weight() * w / torch.pi).backward()
        with torch.no_grad():
            w -= 0.01 * w.grad
            w.clamp_(0.01, torch.pi)
        w.grad = None
        steer.follow(error)
        if step % EVERY == 0:
            steer.compare(error, torch.tensor(0.1))
    return float(w.detach())


@pytest.mark.parametrize(
    ("cost", "width"),
    [
        (lambda w: w.square() / 2, 0.2),  # no symmetry
        (lambda w: (w - 0.785).relu() * 2, 0.795),  # a partial symmetry with a sharp edge
        (lambda w: (w - 0.4).relu().square() / 2, 0.6),  # one with a soft edge
        (lambda w: 0 * w, torch.pi),
    ],
)
def test_as_wide_as_the_cost_allows(cost, width):
    assert settled(cost) == pytest.approx(width, rel=0.03)


def test_the_weight_is_bounded_and_a_network_that_forgets_lowers_it():
    steer = Allowance(0.02, 1e-9)
    assert float(steer.weight()) == pytest.approx(LEAST)
    for _ in range(2000):
        steer.follow(torch.tensor(0.2))
        steer.compare(torch.tensor(0.2), torch.tensor(0.2))
    assert float(steer.weight()) == pytest.approx(MOST)
    for _ in range(2000):  # moved and unmoved inputs have the same error, much worse than before
        steer.follow(torch.tensor(0.7))
        steer.compare(torch.tensor(0.7), torch.tensor(0.7))
    assert float(steer.weight()) == pytest.approx(LEAST)


def test_a_run_steers_only_once_its_distribution_learns(tmp_path, monkeypatch):
    compared, compare = [], Allowance.compare

    def spy(self, moved, unmoved):
        compared.append((float(moved), float(unmoved), float(self.weight())))
        compare(self, moved, unmoved)

    monkeypatch.setattr(Allowance, "compare", spy)
    train(small(tmp_path, cost=0.02, lam=0.07, wait=0.5, regularizer="share", batch_size=16))
    assert 7 <= len(compared) <= 8  # every other step of the second half of 4 epochs of 8 steps
    assert all(moved != unmoved for moved, unmoved, _ in compared)
    assert compared[0][2] == pytest.approx(0.07)
    assert compared[-1][2] != compared[0][2]
    with (tmp_path / "metrics.csv").open(newline="") as file:
        assert float(list(csv.DictReader(file))[-1]["train_error"]) < 1


def test_a_resumed_run_continues_with_its_reward_weight(tmp_path, monkeypatch):
    settings = dict(cost=0.02, lam=0.07, wait=0.2, regularizer="share")
    train(small(tmp_path / "whole", **settings))
    start = Schedule.on_train_epoch_start

    def stop(self, trainer, module):
        if trainer.current_epoch == 3:
            raise KeyboardInterrupt
        start(self, trainer, module)

    with monkeypatch.context() as patch:
        patch.setattr(Schedule, "on_train_epoch_start", stop)
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            train(small(tmp_path / "parts", **settings))
    train(small(tmp_path / "parts", **settings))
    whole, parts = ((tmp_path / n / "model.safetensors").read_bytes() for n in ("whole", "parts"))
    assert whole == parts


@pytest.mark.parametrize("cost", [0.0, -1.0, float("inf"), float("nan")])
def test_an_invalid_cost_is_refused(cost):
    with pytest.raises(InputError, match="cost: expected an error above 0"):
        TrainConfig(cost=cost)


def test_cost_and_lam_start_exclude_each_other():
    with pytest.raises(InputError, match="give one of them"):
        TrainConfig(cost=0.02, lam_start=0.5)
