"""Distributions whose gradient cannot pass through what they draw."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor

from .base import Distribution


class Scored(Distribution, ABC):
    """One that draws among separate elements: theta is reached by the score instead.

    The gradient of E_g loss(g) is E_g loss(g) grad log p(g) (Williams 1992): it needs the loss
    of each example, so whoever averages the losses has to weigh them by `weight`. Straight-
    through gradients would replace loss(g') - loss(g) by its linearisation at g, which is wrong
    by as much as the loss itself for elements as far apart as those of a finite group.
    """

    @abstractmethod
    def weight(self, noise: Float[Tensor, "n m"]) -> Float[Tensor, " n"]:
        """p(g) / p(g) for the elements made from this noise, its denominator held fixed.

        All 1, with the score for a derivative.
        """


def weighted_mean(loss: Float[Tensor, "*s"], weight: Float[Tensor, "*s"]) -> Float[Tensor, ""]:
    """sum(weight * loss) / sum(weight): the mean of the losses, with theta's gradient in it.

    Dividing by the sum subtracts the mean loss from each: the usual baseline, for one factor
    1 - 1/n in the gradient's length.
    """
    return (weight * loss).sum() / weight.sum()


def straight(share: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """share / share with the denominator held fixed."""
    held = share.detach()
    return share / held.clamp_min(torch.finfo(share.dtype).tiny)
