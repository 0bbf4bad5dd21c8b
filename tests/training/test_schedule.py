"""The schedule of a run: by steps, by the clock or by both, and when it is resumed."""

import csv
from functools import partial
from itertools import count

import pytest
import torch
import yaml
from small_run import small

from molinv import InputError
from molinv.cli import main
from molinv.training import run as running
from molinv.training.config import TrainConfig
from molinv.training.history import History
from molinv.training.saved import load
from molinv.training.schedule import Schedule

TICK = 1 / 16  # seconds between two readings of the fake clock; exact in binary


class Watched(Schedule):
    """Records the learning rates of all steps, as fractions of the peak."""

    def __init__(self, config, _, *, seen, now):
        super().__init__(config, now)
        self.seen = seen

    def on_train_batch_end(self, trainer, *args):
        groups = trainer.optimizers[0].param_groups
        self.seen.append([g["lr"] / g["peak"] for g in groups])
        super().on_train_batch_end(trainer, *args)


@pytest.fixture
def seen(monkeypatch):
    """The learning rates of all steps; runs use a clock that ticks whenever it is read."""
    rates, ticks = [], count()
    made = partial(Watched, seen=rates, now=lambda: next(ticks) * TICK)
    monkeypatch.setattr(running, "Schedule", made)
    return rates


def rows(folder):
    with (folder / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def at(seconds, **settings):
    schedule = Schedule(TrainConfig(**settings))
    schedule.seconds = seconds
    return schedule


def test_the_rates_follow_the_steps():
    rate = Schedule(TrainConfig(epochs=10)).rate
    assert [rate(s, 10, 10) for s in (0, 9, 10)] == pytest.approx([0.1, 1, 1])
    assert [rate(s, 10, 10) for s in (55, 100, 200)] == pytest.approx([0.505, 0.01, 0.01])
    assert rate(5, 10, 200) == pytest.approx(0.6)  # warm-up is a tenth of the run at most


def test_the_rates_follow_the_clock():
    assert [at(s, minutes=1).rate(500, 10) for s in (0, 30, 60, 90)] == pytest.approx(
        [1, 0.505, 0.01, 0.01]
    )
    assert at(0, minutes=1).rate(4, 10, 10) == pytest.approx(0.5)  # warm-up counts steps,
    falling = at(6, minutes=1).rate(4, 10, 0)
    assert at(6, minutes=1).rate(4, 10, 10) == falling  # up to a tenth of the run


def test_a_distribution_that_waits_learns_nothing_before_and_its_rate_then_rises():
    schedule = Schedule(TrainConfig(epochs=10, wait=0.3))
    assert [schedule.gate(x) for x in (0.0, 0.29, 0.3, 0.35, 0.4, 1.0)] == pytest.approx(
        [0, 0, 0, 0.5, 1, 1]
    )
    assert Schedule(TrainConfig(epochs=10)).gate(0.0) == 1


def test_the_reward_settles_from_its_first_weight_to_its_last():
    schedule = Schedule(TrainConfig(lam=0.02, lam_start=0.1, settle=0.5))
    assert [schedule.weight(x) for x in (0.0, 0.5, 0.625, 0.75, 1.0)] == pytest.approx(
        [0.1, 0.1, 0.06, 0.02, 0.02]
    )
    assert Schedule(TrainConfig(lam=0.02)).weight(0.1) == pytest.approx(0.02)


def test_a_waiting_distribution_stays_as_it_starts_and_then_opens(tmp_path, seen):
    config = small(tmp_path, wait=0.5, group_end=0.5, lam=0.5)
    running.train(config)
    widths = [float(r["extent_wx"]) for r in rows(tmp_path)]
    assert widths[:3] == pytest.approx([0.05] * 3)
    assert widths[4] > widths[3] > 0.05
    rates = [rate[-1] for rate in seen]
    assert rates[0] == rates[3] == 0
    assert rates[-1] > 0.5
    network = [rate[0] for rate in seen]
    assert network[-1] < 0.3


def test_with_minutes_and_epochs_the_nearer_end_counts():
    both = {"minutes": 1, "epochs": 10}
    assert at(30, **both).progress(20, 10) == 0.5
    assert at(30, **both).progress(80, 10) == 0.8


def test_epochs_are_25_unless_there_are_minutes():
    assert TrainConfig().epochs == 25
    assert TrainConfig(minutes=3.0).epochs is None
    for wrong in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(InputError, match="minutes"):
            TrainConfig(minutes=wrong)
    for name, wrong in (("wait", 1.0), ("settle", -0.1), ("group_end", 2.0), ("lam_start", -1.0)):
        with pytest.raises(InputError, match=name):
            TrainConfig(**{name: wrong})  # pyright: ignore[reportArgumentType]


def test_a_run_ends_with_its_minutes_within_an_epoch(tmp_path, seen):
    config = small(tmp_path, epochs=None, minutes=1 / 60, batch_size=20)  # 7 steps an epoch
    running.train(config)
    assert len(seen) == 16
    assert seen[0] == pytest.approx([1 / 200, 1 / 200, 1])  # network's, and the distribution's
    assert seen[8] == pytest.approx([0.505] * 3)
    assert max(seen[-1]) < 0.03
    table = rows(tmp_path)
    assert [int(r["step"]) for r in table] == [0, 7, 14, 16]
    assert [float(r["train_seconds"]) for r in table] == [0, 0.44, 0.88, 1.0]
    assert all(r["homo_rotated"] and r["train_loss"] for r in table[1:])
    running.train(config)  # the run has ended: nothing happens
    assert len(seen) == 16
    assert rows(tmp_path) == table


def test_an_interrupted_run_is_resumed_by_the_clock(tmp_path, monkeypatch, seen):
    settings = {"epochs": None, "minutes": 2 / 60, "batch_size": 20, "ema": 0.9}
    running.train(small(tmp_path / "whole", **settings))
    whole = list(seen)
    assert len(whole) == 32
    seen.clear()

    def stop(self, trainer, module, *args):
        if trainer.current_epoch == 2:
            raise RuntimeError("pulled the plug")

    with monkeypatch.context() as patch:
        patch.setattr(History, "on_train_batch_end", stop, raising=False)
        with pytest.raises(RuntimeError, match="plug"):
            running.train(small(tmp_path / "parts", **settings))
    del seen[14:]  # the third epoch starts again
    running.train(small(tmp_path / "parts", **settings))
    assert seen == whole
    weights = [load(tmp_path / n).network.state_dict() for n in ("whole", "parts")]
    assert all(torch.equal(weights[0][k], weights[1][k]) for k in weights[0])
    assert float(rows(tmp_path / "parts")[-1]["train_seconds"]) == 2.0


def test_a_run_of_three_seconds_by_the_real_clock(tmp_path):
    settings = vars(small(tmp_path / "a", epochs=None, minutes=0.05))
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(settings))
    assert main(["train", "--config", str(path)]) == 0
    last = rows(tmp_path / "a")[-1]
    assert float(last["train_seconds"]) >= 3  # how much more depends on the last step
    assert float(last["train_seconds"]) < float(last["seconds"])  # which count validation
