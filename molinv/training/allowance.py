"""The reward's weight, steered so that moving costs a given error: as wide as that allows."""

from __future__ import annotations

from math import log

import torch
from jaxtyping import Float
from torch import Tensor, nn

EVERY = 2  # steps from one comparison with inputs that were not moved to the next
MEMORY = 0.02  # of a new error in the running means
RATE = 0.006  # of the weight's logarithm, a comparison, at most
LEAST, MOST = 0.02, 1.5  # of the weight, where errors are standardised; 2.5 throws shears wide open


class Allowance(nn.Module):
    """A weight lambda of the reward that grows while moving costs less than `allowed`, and falls.

    With one weight for all data an extent rests where its edge's cost rises as fast as the reward,
    well inside a sharp edge, and too far where the cost rises slowly. A bound on the cost itself
    knows neither the edge's shape nor the widest extent. The cost is the larger of two: the
    error less that of the same inputs unmoved, and, beyond `allowed`, the running error less the
    lowest that it has been: a network whose inputs were moved too far forgets what poses mean, and
    then loses nothing by any motion. Errors are in units of the targets' spread.

    The state is in buffers, so that a run which is taken up again goes on with it. It is the
    dual ascent of constrained learning (e.g. Platt and Barr 1987, "Constrained Differential
    Optimization") on the logarithm of the multiplier.
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
        """A step's error, whether or not the distribution learns yet."""
        self.error.lerp_(error.detach().to(self.error), MEMORY)
        torch.minimum(self.lowest, self.error, out=self.lowest)

    def compare(self, moved: Float[Tensor, ""], unmoved: Float[Tensor, ""]) -> None:
        """The errors of the same inputs, moved by the distribution's elements and as they are."""
        self.cost.lerp_((moved - unmoved).detach().to(self.cost), MEMORY)
        worst = torch.maximum(self.cost, self.error - self.lowest - self.allowed)
        step = RATE * (1 - worst / self.allowed).clamp(-1, 1)
        self.log_weight.add_(step).clamp_(log(LEAST), log(MOST))

    def weight(self) -> Float[Tensor, ""]:
        return self.log_weight.exp()
