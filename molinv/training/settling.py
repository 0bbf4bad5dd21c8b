"""Exact probabilities of the rotations of `Peaks`, during and after training."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import lightning.pytorch as pl
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from ..augment import Augmented
from ..distributions import Peaks
from ..errors import InputError
from .schedule import Schedule

SHARE = 0.5  # of the identity's loss: the rise of the loss that makes p fall by e
LEAST = 1e-3  # in standard deviations of the target: the same for a network without errors
# fractions of a run after which the probabilities are measured
WHEN = (0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9)
EXAMPLES = 256  # validation examples that they are measured on, at most
FEW = 64  # training examples that places are refined on, and rotations that are refined
STEPS, RATE = 20, 0.06  # of the refinement; rad a step, falling to 0
Tick = Callable[[], None]  # called after each rotation, for a progress bar


def silent() -> None:
    """No progress bar."""


@torch.no_grad()
def settle(
    model: Augmented,
    loss: Callable[[Any], Tensor],
    x: Any,
    *extra: Any,
    lam: float | None = None,
    tick: Tick = silent,
    **named: Any,
) -> Float[Tensor, " m"]:
    """Measure the mean loss of every rotation of `Peaks`, and set the probabilities from it.

    The probabilities become proportional to exp(-loss / lam) (see `Peaks.settle`). If `lam` is not
    given, it is half of the identity's loss: the better the network is, the smaller are the
    differences that count. Training estimates the probabilities from a few draws of each rotation;
    this uses all the examples for all of them. Give held-out examples, because a network fits its
    training examples best as they are stored.
    `loss(output)` returns unreduced losses, as for `Augmented.risk`; `tick()` is called after each
    rotation. Returns the mean losses, in the order of `support`. Raises InputError for a model with
    another distribution.
    """
    mu = model.distribution
    if not isinstance(mu, Peaks):
        raise InputError(f"settle: expected a model with Peaks, got {type(mu).__name__}.")
    size, means = model.input.size(x), []
    for g in mu.support()[0]:
        value, _ = model.run(g.expand(size, -1, -1), x, *extra, **named)
        means.append(loss(value).mean())
        tick()
    losses = torch.stack(means)
    mu.settle(losses, max(SHARE * float(losses[0]), LEAST) if lam is None else lam)
    return losses


def refine(
    model: Augmented,
    chosen: Int64[Tensor, " n"],
    loss: Callable[[Any], Tensor],
    x: Any,
    *extra: Any,
    tick: Tick = silent,
    **named: Any,
) -> None:
    """Move some places of `Peaks` to where the mean loss of a network, as it is, is least.

    `chosen` are indices of `places`. Adam's steps; the other arguments are those of `settle`. In
    training a place is drawn seldom and moves by the gradients of single examples.
    """
    mu = model.distribution
    assert isinstance(mu, Peaks)
    size, own = model.input.size(x), mu.places.detach()[chosen].clone()
    adam = torch.optim.Adam([own], RATE)
    for step in range(STEPS):
        adam.param_groups[0]["lr"] = RATE * (1 - step / STEPS)
        slopes = []
        for place in own:
            place = place.clone().requires_grad_()
            with torch.enable_grad():
                g = mu.group.exp(place[None]).expand(size, -1, -1)
                value, _ = model.run(g, x, *extra, **named)
                slopes += torch.autograd.grad(loss(value).mean(), place)
            tick()
        own.grad = torch.stack(slopes)
        adam.step()
    with torch.no_grad():
        mu.places[chosen] = own


class Settling(pl.Callback):
    """Measures the probabilities of `Peaks` at the fractions WHEN of a run, and completes groups.

    What a few draws say of a rotation is too noisy to rule it out, and a network that is shown
    wrong rotations fits worse. Until a group is found, the FEW best rotations are refined before
    each measurement. If the likely rotations are near a group, the probabilities become
    those of the group (see `Peaks.complete`), and are held until they are measured again; the
    places go on learning. A wrong element of a group is found by the next measurement. If there is
    no group, or none any more, training continues with the last probabilities that were not held.
    The examples are those of validation: training examples are fitted best as they are stored,
    which speaks against every rotation. The state is in the checkpoint.

    A measurement costs as much as some 66,000 predictions, and some 400,000 while there is no
    group.
    """

    def __init__(self, schedule: Schedule):
        self.schedule, self.done = schedule, 0
        self.free: list[Tensor] = []  # not empty where probabilities are held
        self.held: list[Tensor] = []

    def state_dict(self) -> dict[str, Any]:
        return {"done": self.done, "free": self.free}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.done, self.free = state_dict["done"], state_dict["free"]

    @torch.no_grad()
    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        module: Any = pl_module
        mu: Peaks = module.network.distribution
        over = self.schedule.progress(trainer.global_step, int(trainer.num_training_batches))
        due = sum(over >= share for share in WHEN)
        if due > self.done:
            free = self.free or [raw.clone() for raw in mu.log_odds()]
            data: Any = trainer.datamodule  # pyright: ignore[reportAttributeAccessIssue]
            seen = data.stored.gather(data.train[:FEW])
            examples = data.stored.gather(data.valid[:EXAMPLES])
            total = mu.m if self.free else 2 * mu.m + min(FEW, mu.m - 1) * STEPS
            with _counted(trainer, total) as tick:
                module.settle(examples, None if self.free else seen, tick)
            self.free = [] if mu.complete().symbol is None else free
            if not self.free:
                _set(mu, free)
        self.done = due
        self.held = [raw.clone() for raw in mu.log_odds()]

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, *args: Any
    ) -> None:
        if self.free:
            _set(pl_module.network.distribution, self.held)  # pyright: ignore


@contextmanager
def _counted(trainer: pl.Trainer, total: int) -> Iterator[Tick]:
    """A row of the training's progress bar, if it has one, that counts rotations."""
    bar = getattr(trainer.progress_bar_callback, "progress", None)
    if bar is None:
        yield silent
        return
    row, done = bar.add_task("Measuring rotations", total=total), count(1)

    def tick() -> None:
        n = next(done)
        bar.update(row, completed=n, refresh=n % 10 == 0)  # this bar does not refresh by itself

    try:
        yield tick
    finally:
        bar.remove_task(row)


@torch.no_grad()
def _set(mu: Peaks, values: list[Tensor]) -> None:
    """Set the parameters of the probabilities."""
    for raw, value in zip(mu.log_odds(), values, strict=True):
        raw.copy_(value)
