"""The recommended optimizer of a network and its distribution, whatever the loss."""

from __future__ import annotations

import lightning.pytorch as pl
import torch

from ..augment import Augmented
from ..errors import InputError
from .config import RunConfig
from .optim import MuonAdamW, parameter_groups


class Recipe(pl.LightningModule):
    """A network and its distribution, with the optimizer of `config`.

    A subclass defines `training_step`. `Schedule` sets `lam`, the weight of the reward, and
    `opens`, whether the distribution learns yet, before every step.
    """

    def __init__(self, network: Augmented, config: RunConfig):
        super().__init__()
        assert config.lam is not None
        self.network, self.config = network, config
        self.lam, self.opens = config.lam, True

    def configure_optimizers(self):  # pyright: ignore[reportIncompatibleMethodOverride]
        c = self.config
        groups = parameter_groups(
            self.network.model,
            self.network.distribution,
            method=c.optimizer,
            lr=c.lr,
            muon_lr=c.muon_lr,
            group_lr=c.group_lr,
            weight_decay=c.weight_decay,
            clip=c.clip,
        )
        for group in groups:
            group["peak"] = group["lr"]
            group["warmup"] = 0 if group["name"] == "distribution" else c.warmup
        half = c.precision.startswith("bf16")
        return MuonAdamW(groups, torch.bfloat16 if half else torch.float32)

    def configure_gradient_clipping(self, optimizer, *args, **kwargs) -> None:
        """Clip each parameter group separately: the network's norm must not hold back theta.

        Runs after the backward pass, so with several processes it sees their average.
        """
        for group in optimizer.param_groups:
            if group["clip"] > 0:
                torch.nn.utils.clip_grad_norm_(group["params"], group["clip"])


class Diverged(InputError):
    """The loss became infinite or NaN."""
