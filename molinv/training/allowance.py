"""Adapt the weight of the reward so that moving the inputs raises the error by a given amount."""

from __future__ import annotations

from math import log

import torch
from jaxtyping import Float
from torch import Tensor, nn

EVERY = 2  # every so many steps, the error is compared with that of unmoved inputs
MEMORY = 0.02  # weight of a new error in the running means
RATE = 0.006  # largest change of the weight's logarithm per comparison
LEAST, MOST = 0.02, 1.5  # bounds of the weight for standardised errors; 2.5 opens shears too far


class Allowance(nn.Module):
    """A weight of the reward that grows while moving costs less than `allowed`, and else falls.

    With a fixed weight, an extent stops where its cost grows as fast as the reward. That is well
    inside a sharp edge of a symmetry, and too far out where the cost grows slowly. A bound on the
    cost itself needs to know neither the shape of the edge nor the true extent.

    The cost is the larger of two numbers, in units of the targets' spread. The first is the error
    of moved inputs minus the error of the same inputs unmoved. The second is the running error
    minus its lowest value so far, minus `allowed`. It is needed because a network whose inputs are
    moved too far forgets what poses mean, and then no motion costs anything.

    The method is the dual ascent of constrained learning (e.g. Platt and Barr 1987, "Constrained
    Differential Optimization") on the logarithm of the multiplier. Its state is in buffers, so that
    a resumed run continues with it.
    """

    log_weight: Tensor
    cost: Tensor
    error: Tensor
    lowest: Tensor

    def __init__(self, allowed: float, weight: float):
        super().__init__()
        self.allowed = allowed
        start = min(max(weight, LEAST), MOST)
        for name, value in (("log_weight", log(start)), ("cost", 0.0), ("error", 1.0)):
            self.register_buffer(name, torch.tensor(value))
        self.register_buffer("lowest", torch.tensor(torch.inf))

    def follow(self, error: Float[Tensor, ""]) -> None:
        """Record the error of a step; call this also while the distribution does not learn yet."""
        self.error.lerp_(error.detach().to(self.error), MEMORY)
        torch.minimum(self.lowest, self.error, out=self.lowest)

    def compare(self, moved: Float[Tensor, ""], unmoved: Float[Tensor, ""]) -> None:
        """Adapt the weight to the errors of the same inputs, moved and unmoved."""
        self.cost.lerp_((moved - unmoved).detach().to(self.cost), MEMORY)
        worst = torch.maximum(self.cost, self.error - self.lowest - self.allowed)
        step = RATE * (1 - worst / self.allowed).clamp(-1, 1)
        self.log_weight.add_(step).clamp_(log(LEAST), log(MOST))

    def weight(self) -> Float[Tensor, ""]:
        """The current weight of the reward."""
        return self.log_weight.exp()
