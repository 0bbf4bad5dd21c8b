"""The learning rates of a run on pictures."""

from __future__ import annotations

from typing import Any

import lightning.pytorch as pl

from ..schedule import Schedule
from .config import PictureConfig
from .module import PictureJoint


class PictureSchedule(Schedule):
    """The network's rate falls along a cosine; the extents wait, and then keep theirs.

    A network that knows nothing loses nothing by any turn: extents that moved from the first
    step would open until no turn can be told from another, and it would never learn what the
    turns mean. So they wait for the first `wait` of the run. And where they come to rest depends
    on how sharply the trained network tells classes apart, which it does best at the end: a rate
    that fell with the network's would leave them behind.

    The reward's weight is `lam_start` until `settle` of the run is over, and falls linearly to
    `lam` over half of the rest. What lies beyond the extents the network has never seen: opened
    only as far as `lam` allows, they would stay within what it happens to do well there. Pushed
    further, it learns where the labels' boundary is, and the extents come back to it.
    """

    def __init__(self, config: PictureConfig, **clock: Any):
        super().__init__(config.shared(), **clock)
        self.wait, self.settle, self.lam = config.wait, config.settle, config.lam
        self.start = config.lam if config.lam_start is None else config.lam_start

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        super().on_train_batch_start(trainer, pl_module, batch, batch_idx)
        assert isinstance(pl_module, PictureJoint)
        over = self.progress(trainer.global_step, int(trainer.num_training_batches))
        pl_module.lam = self.weight(over)
        for group in trainer.optimizers[0].param_groups:
            if group["name"] == "distribution":
                group["lr"] = group["peak"] if over >= self.wait else 0.0

    def weight(self, over: float) -> float:
        """The reward's weight when this share of the run is over."""
        fallen = 2 * (over - self.settle) / (1 - self.settle)
        return self.start + (self.lam - self.start) * min(1.0, max(0.0, fallen))
