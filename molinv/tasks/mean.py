"""The metric of errors: a mean for each target."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torchmetrics import Metric


class Mean(Metric):
    """The mean of each of t quantities over everything that was added."""

    full_state_update = False
    total: Tensor
    count: Tensor

    def __init__(self, columns: int):
        super().__init__()
        self.add_state("total", torch.zeros(columns), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros(columns), dist_reduce_fx="sum")

    def update(self, total: Float[Tensor, " t"], count: Float[Tensor, " t"]) -> None:
        """Add sums of values, and the numbers of values."""
        self.total += total
        self.count += count

    def compute(self) -> Float[Tensor, " t"]:
        """The means; NaN where nothing was added."""
        return self.total / self.count
