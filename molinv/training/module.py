"""The joint loss: a network and a distribution on a group, trained together."""

from __future__ import annotations

import lightning.pytorch as pl
import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..augment import Augmented
from ..datasets.batches import Batch
from ..datasets.references import Standardizer
from ..distributions.scored import Scored
from ..errors import InputError
from .config import TrainConfig
from .data import VIEWS
from .masked import MaskedError, masked_l1
from .noise import keyed_noise
from .optim import MuonAdamW, parameter_groups


class Joint(pl.LightningModule):
    """L1 on the standardised targets, averaged over copies, minus lam times the reward.

    Values that are missing count for nothing.

    A molecule's group elements are keyed by (seed, epoch, molecule) and the loss is the mean over
    the molecules of all processes, so that any number of processes gives the curve of one, and a
    run that is taken up again that of one that never stopped. `molecules` is the number in the
    data set.
    """

    def __init__(
        self, network: Augmented, standardizer: Standardizer, config: TrainConfig, molecules: int
    ):
        super().__init__()
        self.network, self.standardizer, self.config = network, standardizer, config
        self.molecules = molecules
        self._noise: tuple[int, Tensor] | None = None
        outputs = len(standardizer.targets)
        self.errors = nn.ModuleDict({v: MaskedError(outputs) for v in VIEWS})

    def training_step(self, batch: Batch, step: int) -> Tensor:
        target = self.standardizer(batch.y, batch.z)
        inputs = self.network.model.inputs(batch)  # pyright: ignore[reportCallIssue]
        noise, mu = self.noise()[:, batch.index], self.network.distribution.at(*inputs)
        outputs = self.network(*inputs, noise=noise)
        scores = torch.stack([mu.weight(u) for u in noise]) if isinstance(mu, Scored) else None
        share, known = masked_l1(outputs, target, scores)
        error, weight, size = self._over_processes(share, known, len(batch))
        reward = mu.regularizer()
        loss = error.detach() - self.config.lam * reward.detach()
        if not torch.isfinite(loss):
            raise Diverged(
                f"training diverged at epoch {self.current_epoch + 1}, step {step + 1} (the loss "
                f"is {loss.item()}): the last good model is kept in {self.config.out}; try again "
                "with a lower --lr and --muon_lr."
            )
        # the values are everyone's already: nothing to synchronise
        self.log("train/loss", loss, on_epoch=True, on_step=False, batch_size=size)
        self.log("train/error", error, on_epoch=True, on_step=True, prog_bar=True, batch_size=size)
        return weight * share - self.config.lam * reward

    def noise(self) -> Float[Tensor, "c n m"]:
        """The noise of this epoch's group elements, for every copy of every molecule."""
        epoch = self.current_epoch
        if self._noise is None or self._noise[0] != epoch:
            mu, key = self.network.distribution, (self.config.seed, epoch)
            drawn = keyed_noise(mu, self.network.copies, self.molecules, key)
            self._noise = epoch, drawn.to(self.device)
        return self._noise[1]

    def _over_processes(
        self, share: Tensor, known: Tensor, size: int
    ) -> tuple[Tensor, float | Tensor, int]:
        """The error of the whole step, the weight of this process's share, and the step's size.

        Shares differ in their `known` values where a batch does not divide or values are missing,
        and gradients are averaged over processes: with these weights that average is the gradient
        of the whole step's error.
        """
        if self.trainer.world_size == 1:
            return share.detach(), 1.0, size
        sums = torch.stack([share.detach() * known, known.to(share), torch.full_like(share, size)])
        torch.distributed.all_reduce(sums)
        total = sums[1].clamp_min(1)
        return sums[0] / total, self.trainer.world_size * known / total, int(sums[2])

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
        self.log("valid/error", shares.nanmean(), prog_bar=False)
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
        for group in groups:
            group["peak"] = group["lr"]
            group["warmup"] = 0 if group["name"] == "distribution" else c.warmup
        return MuonAdamW(groups)

    def configure_gradient_clipping(self, optimizer, *args, **kwargs) -> None:
        """Each parameter group by itself, so that the network's norm does not hold back theta.

        Called after the backward pass, so that with several processes it sees their average.
        """
        for group in optimizer.param_groups:
            if group["clip"] > 0:
                torch.nn.utils.clip_grad_norm_(group["params"], group["clip"])


class Diverged(InputError):
    """The loss became infinite or NaN."""
