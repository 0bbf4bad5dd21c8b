"""Exact probabilities of the rotations of `Peaks`, after training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ..augment import Augmented
from ..distributions import Peaks
from ..errors import InputError

LAM = 0.02  # in standard deviations of the target: the rise of the error that makes p fall by e


@torch.no_grad()
def settle(
    model: Augmented,
    loss: Callable[[Any], Tensor],
    x: Any,
    *extra: Any,
    lam: float = LAM,
    **named: Any,
) -> Float[Tensor, " m"]:
    """Measure the mean loss of every rotation of `Peaks`, and set the probabilities from it.

    The probabilities become proportional to exp(-loss / lam) (see `Peaks.settle`). Training
    estimates them from a few draws of each rotation; this uses all the examples for all of them.
    `loss(output)` returns unreduced losses, as for `Augmented.risk`. Returns the mean losses, in
    the order of `support`. Raises InputError for a model with another distribution.
    """
    mu = model.distribution
    if not isinstance(mu, Peaks):
        raise InputError(f"settle: expected a model with Peaks, got {type(mu).__name__}.")
    size, means = model.input.size(x), []
    for g in mu.support()[0]:
        value, _ = model.run(g.expand(size, -1, -1), x, *extra, **named)
        means.append(loss(value).mean())
    losses = torch.stack(means)
    mu.settle(losses, lam)
    return losses
