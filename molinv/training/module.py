"""The joint loss: a network and a distribution on a group, trained together."""

from __future__ import annotations

from typing import Any

import lightning.pytorch as pl
import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..augment import Augmented
from ..datasets.batches import Batch
from ..datasets.references import Standardizer
from ..errors import InputError, unknown
from .allowance import EVERY, Allowance
from .config import TrainConfig
from .data import VIEWS
from .forces import potential, standardised_forces, with_gradient
from .masked import MaskedError, masked_l1
from .noise import keyed_noise
from .optim import MuonAdamW, parameter_groups


class Joint(pl.LightningModule):
    """L1 on the standardised targets, averaged over copies, minus lam times the reward.

    Vectors and tensors, turned back, count by the length of their error. Where forces are learned
    with their energy, theirs is added. Values that are missing count for nothing.

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
        self.lam, self.opens = config.lam, True  # the schedule sets them for every step
        self._noise: tuple[int, Tensor] | None = None
        outputs, kind, forces = len(standardizer.targets), standardizer.kind, standardizer.forces
        self.errors = nn.ModuleDict({v: MaskedError(outputs, kind) for v in VIEWS})
        self.weights = part_weights(config, standardizer)
        self.targets = standardizer.targets if forces is None else (*standardizer.targets, forces)
        if forces is not None:
            self.force_errors = nn.ModuleDict({v: MaskedError(1, "atom vector") for v in VIEWS})
        self.allowance: Allowance | None = None
        if config.cost is not None:
            if forces is not None:
                raise InputError("cost: not with forces, whose error it does not see: use lam.")
            self.allowance = Allowance(config.cost, config.lam)

    def training_step(self, batch: Batch, step: int) -> Tensor:
        target = self.standardizer(batch.y, batch.z)
        batch = batch if batch.forces is None else with_gradient(batch)
        inputs = self.network.model.inputs(batch)  # pyright: ignore[reportCallIssue]
        weights = None if self.weights is None else self.weights.to(target)
        of_targets = None if weights is None else weights[: target.shape[1]]

        def errors(outputs: Tensor) -> list[tuple[Tensor, Tensor]]:
            terms = [masked_l1(outputs, target, self.standardizer.kind, of_targets)]
            if batch.forces is not None:
                both = standardised_forces(self.standardizer, outputs, batch, self.config.center)
                last = None if weights is None else weights[-1:]
                terms.append(masked_l1(*both, "atom vector", last))
            return terms

        # a finite distribution is summed exactly where that takes no more runs than asked for
        noise, exact = self.noise()[:, batch.index], self.network.copies
        risk = self.network.risk(errors, *inputs, noise=noise, exact=exact)
        shares = [self._over_processes(*term, len(batch)) for term in risk.terms]
        share = torch.stack([s for s, _, _ in shares]).sum()
        error = torch.stack([e for _, e, _ in shares]).sum()
        size, lam, reward = shares[0][2], self.lam, risk.reward
        if self.allowance is not None:
            self.allowance.follow(error)
            if self.opens and self.global_step % EVERY == 0:
                with torch.no_grad():
                    wrong, there = self._unmoved(inputs, target, of_targets)
                    count = there.sum()
                    mean = wrong.sum() / count.clamp_min(1)
                    _, unmoved, _ = self._over_processes(mean, count, len(batch))
                self.allowance.compare(error, unmoved)
            lam = self.allowance.weight()
        loss = error.detach() - lam * reward.detach()
        if not torch.isfinite(loss):
            raise Diverged(
                f"training diverged at epoch {self.current_epoch + 1}, step {step + 1} (the loss "
                f"is {loss.item()}): the last good model is kept in {self.config.out}; try again "
                "with a lower --lr and --muon_lr."
            )
        # the values are everyone's already: nothing to synchronise
        self.log("train/loss", loss, on_epoch=True, on_step=False, batch_size=size)
        self.log("train/error", error, on_epoch=True, on_step=True, prog_bar=True, batch_size=size)
        return share - lam * reward

    def _unmoved(
        self, inputs: tuple[Any, ...], target: Tensor, weights: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """The errors of the inputs as they are, and where there are values."""
        x, *extra = inputs
        identity = self.network.distribution.group.identity(self.network.input.size(x))
        values, _ = self.network.run(identity, x, *extra)
        return masked_l1(values, target, self.standardizer.kind, weights)

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
    ) -> tuple[Tensor, Tensor, int]:
        """This process's share of the error, weighted, the whole step's error, and its size.

        Shares differ in their `known` values where a batch does not divide or values are missing,
        and gradients are averaged over processes: with these weights that average is the gradient
        of the whole step's error.
        """
        if self.trainer.world_size == 1:
            return share, share.detach(), size
        sums = torch.stack([share.detach() * known, known.to(share), torch.full_like(share, size)])
        torch.distributed.all_reduce(sums)
        total = sums[1].clamp_min(1)
        return self.trainer.world_size * known / total * share, sums[0] / total, int(sums[2])

    def validation_step(self, batch: Batch, step: int, dataloader_idx: int = 0) -> None:
        view = VIEWS[dataloader_idx]
        truth = self.standardizer.inverse(self.standardizer(batch.y, batch.z))
        if batch.forces is None:
            inputs = self.network.model.inputs(batch)  # pyright: ignore[reportCallIssue]
            outputs = self.network.orbit(*inputs, orbit="identity").mean
            values = self.standardizer.inverse(outputs)
        else:
            found = potential(self.network, self.standardizer, batch, self.config.center)
            values = found.energy[:, None]
            self.force_errors[view].update(  # pyright: ignore[reportCallIssue]
                found.forces[:, None].float(), batch.forces[:, None].float()
            )
        self.errors[view].update(values.float(), truth.float())  # pyright: ignore[reportCallIssue]

    def on_validation_epoch_end(self) -> None:
        found = self.measured()
        self.log("valid/error", self.relative(found["stored"]), prog_bar=False)
        for view in VIEWS:
            for target, value in zip(self.targets, found[view], strict=True):
                self.log(f"valid/{target.name}_{view}", value, prog_bar=view == "stored")
        for name, extent in self.network.distribution.extent().items():
            self.log(f"extent/{name}", extent.value.detach(), prog_bar=True)

    def on_validation_epoch_start(self) -> None:
        for error in self._metrics():
            error.reset()

    def measured(self) -> dict[str, Tensor]:
        """MAE of each of `targets`, in its unit, for each view of the validation molecules."""
        found: dict[str, list[Tensor]] = {view: [] for view in VIEWS}
        for view, error in zip(2 * VIEWS, self._metrics(), strict=False):
            found[view].append(error.compute().reshape(-1))
        return {view: torch.cat(values) for view, values in found.items()}

    def relative(self, errors: Tensor) -> Tensor:
        """The mean of these errors in units of their spread, weighted as in the loss."""
        scale = self.standardizer.scale
        if self.standardizer.forces is not None:
            scale = torch.cat([scale, self.standardizer.force_scale[None]])
        shares = errors / scale.to(errors)
        return (shares if self.weights is None else shares * self.weights.to(errors)).nanmean()

    def _metrics(self) -> list[MaskedError]:
        """Of the targets, view by view, then of the forces."""
        every = [self.errors, *([self.force_errors] if self.standardizer.forces else [])]
        return [errors[view] for errors in every for view in VIEWS]  # pyright: ignore

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
        """Each parameter group by itself, so that the network's norm does not hold back theta.

        Called after the backward pass, so that with several processes it sees their average.
        """
        for group in optimizer.param_groups:
            if group["clip"] > 0:
                torch.nn.utils.clip_grad_norm_(group["params"], group["clip"])


def part_weights(config: TrainConfig, standardizer: Standardizer) -> Tensor | None:
    """How much each target's error counts in the loss, its forces' last; None where all do alike.

    Raises InputError for a weight of what is no target.
    """
    forces = [] if standardizer.forces is None else [standardizer.forces]
    names = [t.name for t in (*standardizer.targets, *forces)]
    for name in config.weights:
        if name not in names:
            raise unknown("target with a weight:", name, names)
    if not config.weights:
        return None
    weights = torch.tensor([float(config.weights.get(name, 1.0)) for name in names])
    # of mean 1, so that lam buys as much as without them
    return weights / weights.mean()


class Diverged(InputError):
    """The loss became infinite or NaN."""
