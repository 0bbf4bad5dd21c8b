"""The joint loss: a network and a distribution on a group, trained together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..augment import Augmented, Term
from ..errors import InputError
from ..tasks.base import Task
from .allowance import EVERY, Allowance
from .config import RunConfig
from .noise import keyed_noise
from .recipe import Diverged, Recipe
from .settling import FEW, Tick, refine, settle, silent

VIEWS = ("stored", "rotated")  # the orientations of the validation examples


class Joint(Recipe):
    """The task's loss, averaged over copies, minus lam times the reward for wide distributions.

    The group elements of an example are keyed by (seed, epoch, example), and the loss is the mean
    over the examples of all processes. The learning curve therefore does not depend on the number
    of processes, and a resumed run has the curve of an uninterrupted one.

    examples   the size of the data set that the indices of batches refer to
    auxiliary  whether the network, while it trains, also predicts numbers of the atoms
               (see `Model.beside`), which are compared with `batch.auxiliary`
    """

    def __init__(
        self,
        network: Augmented,
        task: Task,
        config: RunConfig,
        examples: int,
        auxiliary: bool = False,
    ):
        super().__init__(network, config)
        self.task, self.examples, self.auxiliary = task, examples, auxiliary
        self._noise: tuple[int, Tensor] | None = None
        self.metrics = nn.ModuleDict({view: task.metric() for view in VIEWS})
        self.allowance: Allowance | None = None
        if config.cost is not None:
            if task.gradient:
                raise InputError("cost: does not work with forces: use lam.")
            self.allowance = Allowance(config.cost, self.lam)

    def training_step(self, batch: Any, step: int) -> Tensor:
        batch = self.task.prepare(batch)
        inputs = self.network.model.inputs(batch)  # pyright: ignore[reportCallIssue]
        # a finite distribution is summed exactly if it has at most `copies` elements
        risk = self.network.risk(
            lambda outputs: self._losses(outputs, batch),
            *inputs,
            noise=self.noise()[:, batch.index],
            exact=self.network.copies,
        )
        share, size = self._over_processes(risk.terms, len(batch))
        error, lam, reward = share.detach(), self.lam, risk.reward
        if self.allowance is not None:
            self.allowance.follow(error)
            if self.opens and self.global_step % EVERY == 0:
                self.allowance.compare(error, self._unmoved(inputs, batch))
            lam = self.allowance.weight()
        loss = error - lam * reward.detach()
        if not torch.isfinite(loss):
            raise Diverged(
                f"training diverged at epoch {self.current_epoch + 1}, step {step + 1} (the loss "
                f"is {loss.item()}): the last good model is in {self.config.out}; try again with a "
                "lower --lr and --muon_lr."
            )
        # the values are already reduced over processes, so no sync_dist
        self.log("train/loss", loss, on_epoch=True, on_step=False, batch_size=size)
        self.log("train/error", error, on_epoch=True, on_step=True, prog_bar=True, batch_size=size)
        return share - lam * reward

    @torch.no_grad()
    def _unmoved(self, inputs: tuple[Any, ...], batch: Any) -> Tensor:
        """The loss of the inputs without any motion."""
        x, *extra = inputs
        identity = self.network.distribution.group.identity(self.network.input.size(x))
        values, _ = self.network.run(identity, x, *extra)
        return self._over_processes(self._terms(values, batch), len(batch))[0]

    def _terms(self, outputs: Tensor, batch: Any) -> list[Term]:
        """The mean of each term of the loss over a batch."""
        terms = []
        for found in self._losses(outputs, batch):
            losses, there = found if isinstance(found, tuple) else (found, torch.ones_like(found))
            count = there.sum()
            terms.append(Term((losses * there).sum() / count.clamp_min(1), count))
        return terms

    def settle(self, batch: Any, seen: Any = None, tick: Tick = silent) -> None:
        """Measure the probabilities of `Peaks` on a batch, see `settling.settle`.

        With `seen`, a batch of training examples, the best rotations are refined on it first.
        """
        losses = settle(self.network, *self._measured(batch), tick=tick)
        if seen is not None:
            best = losses[1:].argsort()[:FEW]
            refine(self.network, best, *self._measured(seen), tick=tick)
            settle(self.network, *self._measured(batch), tick=tick)

    def _measured(self, batch: Any) -> tuple[Any, ...]:
        """The mean loss of outputs of a batch, and the network's inputs."""
        batch = self.task.prepare(batch)

        def loss(outputs: Tensor) -> Tensor:
            return self._total([term.mean for term in self._terms(outputs, batch)])

        return loss, *self.network.model.inputs(batch)  # pyright: ignore[reportCallIssue]

    def noise(self) -> Float[Tensor, "c n m"]:
        """The noise of this epoch's group elements, for every copy of every example."""
        epoch = self.current_epoch
        if self._noise is None or self._noise[0] != epoch:
            mu, key = self.network.distribution, (self.config.seed, epoch)
            drawn = keyed_noise(mu, self.network.copies, self.examples, key)
            self._noise = epoch, drawn.to(self.device)
        return self._noise[1]

    def _over_processes(self, terms: Sequence[Term], size: int) -> tuple[Tensor, int]:
        """The loss and the size of the step over all processes; this one has `size` examples.

        The average over processes of the returned loss's gradient is the gradient of the loss. The
        means of the processes are weighted by their numbers of values, which differ if the batch
        size is not divisible or if values are missing.
        """
        means = [term.mean for term in terms]
        if (world := self.trainer.world_size) > 1:
            own = torch.stack([term.count.to(term.mean) for term in terms])
            shares = torch.stack(means)
            sums = torch.stack([shares.detach() * own, own, torch.full_like(own, size)])
            torch.distributed.all_reduce(sums)
            total, size = sums[1].clamp_min(1), int(sums[2, 0])
            shares = world * own / total * shares
            means = [*(sums[0] / total + shares - shares.detach()).unbind()]
        return self._total(means), size

    def _losses(self, outputs: Tensor, batch: Any) -> list[Any]:
        """The terms of the task's loss, then the term of the auxiliary numbers of atoms."""
        if not self.auxiliary:
            return self.task.losses(outputs, batch)
        model: Any = self.network.model
        own, beside = model.apart(outputs, batch.z.shape[1])
        truth = batch.auxiliary.to(beside)
        there = ~truth.isnan()
        return [*self.task.losses(own, batch), ((beside - truth.nan_to_num()).abs(), there)]

    def _total(self, means: Sequence[Tensor]) -> Tensor:
        if not self.auxiliary:
            return self.task.total(means)
        *own, beside = means
        weight: float = self.config.auxiliary_weight  # pyright: ignore
        return self.task.total(own) + weight * beside

    def validation_step(self, batch: Any, step: int, dataloader_idx: int = 0) -> None:
        self.task.validate(self.metrics[VIEWS[dataloader_idx]], self.network, batch)

    def on_validation_epoch_start(self) -> None:
        for metric in self.metrics.values():
            metric.reset()  # pyright: ignore[reportCallIssue]

    def on_validation_epoch_end(self) -> None:
        found = self.measured()
        self.log("valid/error", found["stored"][1])
        for view, (values, _) in found.items():
            for name, value in zip(self.task.columns, values, strict=True):
                self.log(f"valid/{name}_{view}", value, prog_bar=view == "stored")
        for name, extent in self.network.distribution.extent().items():
            self.log(f"extent/{name}", extent.value.detach(), prog_bar=True)

    def measured(self) -> dict[str, tuple[Tensor, Tensor]]:
        """For each view of the validation examples: the measure of each target, and the error."""
        return {view: self.task.read(self.metrics[view]) for view in VIEWS}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Rename the entries of checkpoints of molinv 0.1.0."""
        states = checkpoint["state_dict"]
        for name in [n for n in states if n.startswith("standardizer.")]:
            states[f"task.{name}"] = states.pop(name)
        for name, value in self.task.state_dict(prefix="task.").items():
            states.setdefault(name, value)
        callbacks = checkpoint["callbacks"]
        for name in [n for n in callbacks if n.startswith("Picture")]:
            callbacks[name.removeprefix("Picture")] = callbacks.pop(name)
