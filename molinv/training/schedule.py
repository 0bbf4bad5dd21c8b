"""The schedule of a run, by steps or by the clock: learning rates, reward weight and end."""

from __future__ import annotations

import time
from collections.abc import Callable
from math import cos, pi
from typing import Any

import lightning.pytorch as pl
import torch

from .config import RunConfig


class Schedule(pl.Callback):
    """Sets the learning rates of every step, and stops a run when its minutes are used up.

    The progress of a run goes from 0 to 1. It follows the steps if `epochs` is set, the training
    time if `minutes` is set, and whichever is further if both are set. `seconds` counts only
    training: the steps, with their data and the first compilation, but not validation and writing.
    It is in the checkpoint, so that a resumed run continues with it. With several processes, all
    use the clock of the first, so that they stop at the same step. Each parameter group has its
    "peak" learning rate and a number of "warmup" steps.

    The distribution can `wait`. For an untrained network no motion costs anything, so a
    distribution that learns from the first step can open until poses cannot be distinguished, and
    the network then never learns what they mean. The final extents depend on the network at the
    end of the run, so the distribution's rate decays less, to `group_end` of its peak. The reward's
    weight is `lam_start` up to the fraction `settle` of the run. It then falls linearly to `lam`
    over half of the rest.

    If the rate is `held`, as on pictures, it stays at its peak until the weight is `lam`, and then
    decays geometrically to `group_end`. The network has never seen inputs beyond the extents. With
    `lam_start` the extents open further, the network learns where the boundary of the labels is,
    and the extents return to it while the rate is still large enough. If the rate decayed with the
    network's, the extents would stay too wide; with the peak rate at the end, they would vary by
    degrees from step to step.
    """

    def __init__(self, config: RunConfig, now: Callable[[], float] = time.monotonic):
        self.epochs = config.epochs
        self.budget = None if config.minutes is None else 60 * config.minutes
        assert config.lam is not None
        self.config, self.lam, self.start = config, config.lam, config.start_weight(1)
        self.wait, self.settle, self.end = config.wait, config.settle, config.group_end
        self.seconds = 0.0
        self._now = now
        self._since: float | None = None

    def state_dict(self) -> dict[str, Any]:
        return {"seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.seconds = state_dict["seconds"]

    def progress(self, step: int, steps_per_epoch: int, warmup: int = 0) -> float:
        """The fraction of the run that is done before step number `step`, counted from 0.

        Steps count from the end of the warm-up, so that the rates start to decay at their peak.
        """
        shares = [0.0]
        if self.epochs is not None:
            total = steps_per_epoch * self.epochs
            shares.append((step - warmup) / max(1, total - warmup))
        if self.budget is not None:
            shares.append(self.seconds / self.budget)
        return min(1.0, max(shares))

    def rate(self, step: int, steps_per_epoch: int, warmup: int = 0, end: float = 0.01) -> float:
        """The learning rate of a step in units of its peak; it decays to `end`.

        The warm-up is at most a tenth of the run.
        """
        if self.epochs is not None:
            warmup = min(warmup, steps_per_epoch * self.epochs // 10)
        progress = self.progress(step, steps_per_epoch, warmup)
        ramp = (step + 1) / warmup if step < warmup else 1.0
        if self.budget is not None:
            ramp = max(ramp, min(1.0, 10 * self.seconds / self.budget))
        return ramp * (end + (1 - end) * 0.5 * (1 + cos(pi * progress)))

    def gate(self, over: float) -> float:
        """The factor of the distribution's rate after the fraction `over` of the run.

        It is 0 while the distribution waits, and then rises to 1 over a tenth of the run.
        """
        return min(1.0, max(0.0, 10 * (over - self.wait))) if self.wait else 1.0

    def weight(self, over: float) -> float:
        """The reward's weight after the fraction `over` of the run."""
        fallen = 2 * (over - self.settle) / (1 - self.settle)
        return self.start + (self.lam - self.start) * min(1.0, max(0.0, fallen))

    def held(self, over: float) -> float:
        """A held rate after the fraction `over` of the run, in units of its peak."""
        fallen = (1 + self.settle) / 2  # from here on the reward's weight is lam
        return self.end ** max(0.0, (over - fallen) / (1 - fallen))

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        k = pl_module.network.distribution.group.k  # pyright: ignore[reportAttributeAccessIssue]
        self.start = self.config.start_weight(k)  # pyright: ignore[reportArgumentType]
        self._stop_if_over(trainer)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._since = self._now()

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if self._since is None:
            self._since = self._now()
        step, per_epoch = trainer.global_step, int(trainer.num_training_batches)
        over = self.progress(step, per_epoch)
        pl_module.lam = self.weight(over)  # pyright: ignore[reportArgumentType]
        pl_module.opens = self.gate(over) > 0  # pyright: ignore[reportArgumentType]
        for group in trainer.optimizers[0].param_groups:
            moves = group["name"] == "distribution"
            if moves and self.config.held:
                rate = self.held(over)
            else:
                end = self.end if moves else 0.01
                rate = self.rate(step, per_epoch, group["warmup"], end)
            group["lr"] = group["peak"] * rate * (self.gate(over) if moves else 1.0)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, *args: Any
    ) -> None:
        now = self._now()
        self.seconds += now - (now if self._since is None else self._since)
        self._since = now
        if self.budget is not None and trainer.world_size > 1:
            first = torch.tensor(self.seconds, dtype=torch.float64, device=pl_module.device)
            torch.distributed.broadcast(first, src=0)
            self.seconds = float(first)
        self._stop_if_over(trainer)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._since = None

    def _stop_if_over(self, trainer: pl.Trainer) -> None:
        if self.budget is not None and self.seconds >= self.budget:
            trainer.should_stop = True
