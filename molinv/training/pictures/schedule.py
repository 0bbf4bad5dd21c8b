"""The learning rates of a run on pictures."""

from __future__ import annotations

from typing import Any

import lightning.pytorch as pl

from ..schedule import Schedule
from .config import PictureConfig
from .module import PictureJoint

_LEAST = 0.1  # of its peak: the distribution's rate at the end


class PictureSchedule(Schedule):
    """The network's rate falls along a cosine; that of the extents stays, and falls at the end.

    The extents `wait`, and the reward's weight is `lam_start` until `settle` and then falls to
    `lam`, as of any run. Where they come to rest depends on how sharply the trained network tells
    classes apart, which it does best at the end: a rate that fell with the network's would leave
    them behind. But steps of full length throw them about by degrees, and what lies beyond is
    steep while what lies within is flat: they would rest the further from the edge the longer
    their steps are. So once the reward's weight has fallen the rate falls geometrically to a tenth.

    What lies beyond the extents the network has never seen: opened only as far as `lam` allows,
    they would stay within what it happens to do well there. Pushed further by `lam_start`, it
    learns where the labels' boundary is, and the extents come back to it. They do so early in the
    run: while poses overlap a network is unsure far around the boundary, and how near the extents
    come to it depends on how long it then has to become sharp at rates that still move it. The push
    is shared among the group's generators: six extents at the weight of one could together outbid
    the label, and a network that sees nothing of it has no slope by which they would come back.
    """

    def __init__(self, config: PictureConfig, **clock: Any):
        super().__init__(config.shared(), **clock)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, PictureJoint)
        k = max(1, pl_module.network.distribution.group.k)
        self.start = max(min(self.start, self.lam), self.start / k)
        super().on_train_start(trainer, pl_module)

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        super().on_train_batch_start(trainer, pl_module, batch, batch_idx)
        over = self.progress(trainer.global_step, int(trainer.num_training_batches))
        for group in trainer.optimizers[0].param_groups:
            if group["name"] == "distribution":
                group["lr"] = group["peak"] * self.gate(over) * self.late(over)

    def late(self, over: float) -> float:
        """The distribution's rate when this share of the run is over, in units of its peak."""
        fallen = (1 + self.settle) / 2  # where the reward's weight is lam
        return _LEAST ** max(0.0, (over - fallen) / (1 - fallen))
