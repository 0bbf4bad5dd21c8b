"""How far a run has come, by its steps or by the clock: its learning rates and its end."""

from __future__ import annotations

import time
from collections.abc import Callable
from math import cos, pi
from typing import Any

import lightning.pytorch as pl
import torch

from .config import RunConfig


class Schedule(pl.Callback):
    """Sets every step's learning rates, and ends a run whose minutes are over.

    A run's progress goes from 0 to 1 by its steps where `epochs` is set, by the time that it has
    trained where `minutes` is set, and by whichever is further where both are. `seconds` counts
    training alone: the steps with their data and first compilation, but no validation and no
    writing of models. It lives in the checkpoint, so a run that is taken up again goes on from
    there. With several processes the first one's clock is everyone's, so that all stop at the
    same step. Parameter groups have a "peak" learning rate and the number of "warmup" steps.

    A network that knows nothing loses nothing by any motion: a distribution that moved from the
    first step can open until no pose can be told from another, and the network would never learn
    what poses mean. So it can `wait`. Where it comes to rest depends on the network as it is at
    the end, so its rate need not fall as far: to `group_end` of its peak. The reward's weight is
    `lam_start` until `settle` of the run is over, and falls linearly to `lam` over half of the
    rest.

    Where the rate is `held`, as on pictures, it stays at its peak until the weight is `lam`, and
    then falls geometrically to `group_end`. What lies beyond the extents the network has never
    seen: pushed further by `lam_start` it learns where the labels' boundary is, and the extents
    come back to it while rates still move them. A rate that fell with the network's would leave
    them behind; steps of full length at the end would throw them about by degrees.
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
        """The share of the run that is over before step number `step`, from 0.

        Steps count from the end of the warm-up, so that the rates begin to fall from their peak.
        """
        shares = [0.0]
        if self.epochs is not None:
            total = steps_per_epoch * self.epochs
            shares.append((step - warmup) / max(1, total - warmup))
        if self.budget is not None:
            shares.append(self.seconds / self.budget)
        return min(1.0, max(shares))

    def rate(self, step: int, steps_per_epoch: int, warmup: int = 0, end: float = 0.01) -> float:
        """The learning rate of a step in units of its peak, `end` when the run is over.

        Warm-up is a tenth of the run at most.
        """
        if self.epochs is not None:
            warmup = min(warmup, steps_per_epoch * self.epochs // 10)
        progress = self.progress(step, steps_per_epoch, warmup)
        ramp = (step + 1) / warmup if step < warmup else 1.0
        if self.budget is not None:
            ramp = max(ramp, min(1.0, 10 * self.seconds / self.budget))
        return ramp * (end + (1 - end) * 0.5 * (1 + cos(pi * progress)))

    def gate(self, over: float) -> float:
        """The distribution's rate: 0 while it waits, then rising to 1 over a tenth of the run."""
        return min(1.0, max(0.0, 10 * (over - self.wait))) if self.wait else 1.0

    def weight(self, over: float) -> float:
        """The reward's weight when this share of the run is over."""
        fallen = 2 * (over - self.settle) / (1 - self.settle)
        return self.start + (self.lam - self.start) * min(1.0, max(0.0, fallen))

    def held(self, over: float) -> float:
        """A held rate when this share of the run is over, in units of its peak."""
        fallen = (1 + self.settle) / 2  # where the reward's weight is lam
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
