"""The joint loss on pictures: a network and a distribution on a group, trained together."""

from __future__ import annotations

from typing import Any

import lightning.pytorch as pl
import torch
from jaxtyping import Float
from torch import Tensor, nn

from ...augment import Augmented
from ...datasets.pictures.batches import PictureBatch
from ..data import VIEWS
from ..module import Diverged, Joint
from ..noise import keyed_noise
from .config import PictureConfig
from .tasks import Task


class PictureJoint(pl.LightningModule):
    """The task's loss, averaged over copies, minus lam times the reward for wide distributions.

    A picture's group elements are keyed by (seed, epoch, picture), so that a run that is taken up
    again goes on as one that never stopped. `pictures` is the number in the training part. With
    several processes each one's mean counts for its share of the step's pictures; of label maps
    that is right up to how many of their pixels are known.
    """

    def __init__(self, network: Augmented, task: Task, config: PictureConfig, pictures: int):
        super().__init__()
        self.network, self.task, self.config, self.pictures = network, task, config, pictures
        self.lam = 0.0  # the schedule sets it for every step
        self._noise: tuple[int, Tensor] | None = None
        self.metrics = nn.ModuleDict({view: task.metric() for view in VIEWS})

    def training_step(self, batch: PictureBatch, step: int) -> Tensor:
        inputs = self.network.model.inputs(batch)  # pyright: ignore[reportCallIssue]
        risk = self.network.risk(
            lambda outputs: self.task.losses(outputs, batch.y),
            *inputs,
            noise=self.noise()[:, batch.index],
            exact=self.network.copies,
        )
        share, reward = self.task.total([term.mean for term in risk.terms]), risk.reward
        loss = share - self.lam * reward
        if not torch.isfinite(loss):
            raise Diverged(
                f"training diverged at epoch {self.current_epoch + 1}, step {step + 1} (the loss "
                f"is {loss.item()}): the last good model is kept in {self.config.out}; try again "
                "with a lower --lr and --muon_lr."
            )
        kept: dict[str, Any] = {"on_epoch": True, "batch_size": len(batch), "sync_dist": True}
        self.log("train/loss", loss.detach(), on_step=False, **kept)
        self.log("train/error", share.detach(), on_step=True, prog_bar=True, **kept)
        return self._weight(len(batch)) * share - self.lam * reward

    def noise(self) -> Float[Tensor, "c n m"]:
        """The noise of this epoch's group elements, for every copy of every picture."""
        epoch = self.current_epoch
        if self._noise is None or self._noise[0] != epoch:
            mu, key = self.network.distribution, (self.config.seed, epoch)
            drawn = keyed_noise(mu, self.network.copies, self.pictures, key)
            self._noise = epoch, drawn.to(self.device)
        return self._noise[1]

    def _weight(self, size: int) -> float | Tensor:
        """Of this process's share: gradients are averaged over processes, whatever their shares."""
        if self.trainer.world_size == 1:
            return 1.0
        every = torch.tensor(float(size), device=self.device)
        torch.distributed.all_reduce(every)
        return self.trainer.world_size * size / every

    def validation_step(self, batch: PictureBatch, step: int, dataloader_idx: int = 0) -> None:
        inputs = self.network.model.inputs(batch)  # pyright: ignore[reportCallIssue]
        outputs = self.network.model(*inputs).float()
        metric = self.metrics[VIEWS[dataloader_idx]]
        self.task.update(metric, outputs, batch.y, None)  # pyright: ignore[reportArgumentType]

    def on_validation_epoch_start(self) -> None:
        for metric in self.metrics.values():
            metric.reset()  # pyright: ignore[reportCallIssue]

    def on_validation_epoch_end(self) -> None:
        for view, value in self.measured().items():
            self.log(f"valid/{view}", value, prog_bar=view == "stored")
        # smaller is better, for whoever stops early
        self.log("valid/error", -self.task.better * self.measured()["stored"])
        for name, extent in self.network.distribution.extent().items():
            self.log(f"extent/{name}", extent.value.detach(), prog_bar=True)

    def measured(self) -> dict[str, float]:
        """The metric for each view of the validation pictures."""
        return {view: float(self.metrics[view].compute()) for view in VIEWS}  # pyright: ignore

    configure_optimizers = Joint.configure_optimizers
    configure_gradient_clipping = Joint.configure_gradient_clipping
