"""The joint loss: a network and a distribution on a group, trained together."""

from __future__ import annotations

from math import ceil, cos, pi

import lightning.pytorch as pl
import torch
from torch import Tensor, nn
from torchmetrics import MeanAbsoluteError

from ..augment import Augmented
from ..datasets.batches import Batch
from ..datasets.references import Standardizer
from ..errors import InputError
from .config import TrainConfig
from .data import VIEWS
from .optim import MuonAdamW, parameter_groups


class Joint(pl.LightningModule):
    """L1 on the standardised targets, averaged over copies, minus lam times the reward.

    The group elements of a step are drawn from a generator keyed by (seed, epoch, step,
    rank), so that a run that is taken up again draws the same ones.
    """

    def __init__(
        self, network: Augmented, standardizer: Standardizer, config: TrainConfig, molecules: int
    ):
        super().__init__()
        self.network, self.standardizer, self.config = network, standardizer, config
        self.steps_per_epoch = ceil(molecules / config.batch_size)
        outputs = len(standardizer.targets)
        self.errors = nn.ModuleDict({v: MeanAbsoluteError(num_outputs=outputs) for v in VIEWS})

    def training_step(self, batch: Batch, step: int) -> Tensor:
        key = hash((self.config.seed, self.current_epoch, step, self.global_rank)) % 2**63
        generator = torch.Generator(batch.pos.device).manual_seed(key)
        target = self.standardizer(batch.y, batch.z)
        inputs = self.network.model.inputs(batch)  # pyright: ignore[reportCallIssue]
        outputs = self.network(*inputs, generator=generator)
        error = (outputs - target).abs().mean()
        reward = self.network.distribution.regularizer()
        loss = error - self.config.lam * reward
        if not torch.isfinite(loss):
            raise Diverged(
                f"training diverged at epoch {self.current_epoch + 1}, step {step + 1} (the loss "
                f"is {loss.item()}): the last good model is kept in {self.config.out}; try again "
                "with a lower --lr and --muon_lr."
            )
        self.log("train/loss", loss, on_epoch=True, on_step=False, batch_size=len(batch))
        self.log(
            "train/error", error, on_epoch=True, on_step=True, prog_bar=True, batch_size=len(batch)
        )
        return loss

    def validation_step(self, batch: Batch, step: int, dataloader_idx: int = 0) -> None:
        inputs = self.network.model.inputs(batch)  # pyright: ignore[reportCallIssue]
        outputs = self.network.orbit(*inputs, orbit="identity").mean
        truth = self.standardizer(batch.y, batch.z)
        self.errors[VIEWS[dataloader_idx]].update(  # pyright: ignore[reportCallIssue]
            self.standardizer.inverse(outputs).float(), self.standardizer.inverse(truth).float()
        )

    def on_validation_epoch_end(self) -> None:
        found = self.measured()
        shares = found["stored"] / self.standardizer.scale.to(found["stored"])
        self.log("valid/error", shares.mean(), prog_bar=False)
        for view in VIEWS:
            for target, value in zip(self.standardizer.targets, found[view], strict=True):
                self.log(f"valid/{target.name}_{view}", value, prog_bar=view == "stored")
        for name, extent in self.network.distribution.extent().items():
            self.log(f"extent/{name}", extent.value.detach(), prog_bar=True)

    def on_validation_epoch_start(self) -> None:
        for error in self.errors.values():
            error.reset()  # pyright: ignore[reportCallIssue]

    def measured(self) -> dict[str, Tensor]:
        """MAE per target (t,), in its unit, for each view of the validation molecules."""
        return {view: self.errors[view].compute().reshape(-1) for view in VIEWS}  # pyright: ignore

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
        total = self.steps_per_epoch * c.epochs
        warmup = min(c.warmup, total // 10)
        shapes = [
            lambda step, w=0 if g["name"] == "distribution" else warmup: schedule(step, w, total)
            for g in groups
        ]
        optimizer = MuonAdamW(groups)
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, shapes)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }

    def configure_gradient_clipping(self, optimizer, *args, **kwargs) -> None:
        """Each parameter group by itself, so that the network's norm does not hold back theta."""
        for group in optimizer.param_groups:
            if group["clip"] > 0:
                torch.nn.utils.clip_grad_norm_(group["params"], group["clip"])


class Diverged(InputError):
    """The loss became infinite or NaN."""


def schedule(step: int, warmup: int, total: int) -> float:
    """Linear warm-up, then a cosine from 1 to 0.01."""
    if step < warmup:
        return (step + 1) / warmup
    progress = min(1.0, (step - warmup) / max(1, total - warmup))
    return 0.01 + 0.99 * 0.5 * (1 + cos(pi * progress))
