"""A direction in the plane, with the likelihood of a von Mises density.

The outputs (a, b) are its natural parameters: p(angle) = exp(a cos + b sin) / (2 pi I0(|(a, b)|)).
The loss is then in nats, like a cross entropy, and the same weight of the reward suits both. With
an L1 or squared loss, the gain from learning is bounded, however certain the network could be. A
reward that exceeds this gain opens the extents until nothing is left to learn.
"""

from __future__ import annotations

from math import pi
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..datasets.pictures.store import Pictures
from ..datasets.targets import Target
from .base import Task


class Circle(Task):
    """A direction in the plane, given as a pair of numbers called cos and sin.

    The metric is the mean angle between directions, in degrees.
    """

    def __init__(self):
        super().__init__()
        self.targets = (Target("angle", "degrees"),)

    @classmethod
    def of_pictures(cls, pictures: Pictures) -> Circle:
        """The task for these pictures; nothing is fitted."""
        return cls()

    @property
    def outputs(self) -> int:
        return 2

    def settings(self) -> dict[str, Any]:
        return {}

    def losses(self, outputs: Tensor, batch: Any) -> list[Any]:
        return [von_mises(outputs, batch.y)]

    def metric(self) -> nn.Module:
        from .mean import Mean

        return Mean(1)

    def update(
        self, metric: Any, outputs: Tensor, batch: Any, weight: Tensor | None = None
    ) -> None:
        degrees = angle_between(outputs, batch.y).abs() * (180 / pi)
        metric.update(degrees.sum(), torch.tensor(len(degrees)).to(degrees))

    def values(self, outputs: Tensor) -> Tensor:
        """Cosine and sine of the angle (b, 2)."""
        return torch.nn.functional.normalize(outputs, dim=-1)


def von_mises(outputs: Float[Tensor, "b 2"], y: Float[Tensor, "b 2"]) -> Float[Tensor, " b"]:
    """-log of the density at the directions y, minus that of the uniform density, in nats."""
    sure = (outputs.square().sum(-1) + 1e-12).sqrt()  # the root is not differentiable at 0
    return torch.special.i0e(sure).log() + sure - (outputs * y).sum(-1)


def angle_between(a: Float[Tensor, "b 2"], b: Float[Tensor, "b 2"]) -> Float[Tensor, " b"]:
    """The angle from b to a in (-pi, pi], for vectors of any length."""
    cross = b[:, 0] * a[:, 1] - b[:, 1] * a[:, 0]
    return torch.atan2(cross, (a * b).sum(-1))
