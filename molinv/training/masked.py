"""Errors where some molecules lack a value of some target."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torchmetrics import Metric


def masked_l1(
    outputs: Float[Tensor, "c b t"],
    target: Float[Tensor, "b t"],
    scores: Float[Tensor, "c b"] | None = None,
) -> tuple[Tensor, Tensor]:
    """Mean |outputs - target| over the values that there are, and how many (b, t) there are.

    A missing value is NaN in `target` and has no gradient; 0 where all are missing. `scores`, all
    1, carry the gradient of a distribution over separate elements (see `Scored`).
    """
    known = ~target.isnan()
    errors = (outputs - target.nan_to_num()).abs() * known
    count = known.sum()
    if scores is None or not count:
        return errors.sum() / (count.clamp_min(1) * len(outputs)), count
    weight = scores[..., None]
    return (weight * errors).sum() / (weight * known).sum(), count


class MaskedError(Metric):
    """Mean absolute error (t,) of each target over the molecules that have a value of it."""

    full_state_update = False
    total: Tensor
    count: Tensor

    def __init__(self, outputs: int):
        super().__init__()
        self.add_state("total", torch.zeros(outputs), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros(outputs), dist_reduce_fx="sum")

    def update(self, outputs: Float[Tensor, "b t"], truth: Float[Tensor, "b t"]) -> None:
        known = ~truth.isnan()
        self.total += ((outputs - truth.nan_to_num()).abs() * known).sum(0)
        self.count += known.sum(0)

    def compute(self) -> Float[Tensor, " t"]:
        """NaN for a target without a value."""
        return self.total / self.count
