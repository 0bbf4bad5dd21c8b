"""Radial features that the models share."""

from __future__ import annotations

from math import e, log2

import torch
from jaxtyping import Float
from torch import Tensor, nn

_ROOT = log2(e) ** 0.5  # for exp2: where the result underflows, exp is several times slower
SOFT = 0.1  # angstrom: displacement / (distance + SOFT) is smooth where two atoms meet


class Gaussians(nn.Module):
    """exp(-((r - c) / width)^2) on evenly spaced centres from `start` to `stop` angstrom.

    The exponent is -x^2 + 2 x c - c^2 in units of the width, with x and c relative to the middle.
    One matrix product computes all exponents; it costs two of float32's digits.
    """

    centres: Tensor

    def __init__(self, count: int = 32, start: float = 0.5, stop: float = 6.0, width: float = 0.25):
        super().__init__()
        self.register_buffer("centres", torch.linspace(start, stop, count), persistent=False)
        self.middle, self.scale = (start + stop) / 2, _ROOT / width

    def forward(self, distance: Float[Tensor, "*b"]) -> Float[Tensor, "*b k"]:
        x, c = (distance - self.middle) * self.scale, (self.centres - self.middle) * self.scale
        with torch.autocast(distance.device.type, enabled=False):
            exponent = torch.addmm(
                -c.square(),
                torch.stack([x.square(), x], -1).view(-1, 2),
                torch.stack([-torch.ones_like(c), 2 * c]),
            )
        return exponent.exp2().view(*distance.shape, len(c))


def safe_norm(vector: Float[Tensor, "*b 3"]) -> Float[Tensor, "*b"]:
    """The length in angstrom, twice differentiable; it is 1e-6 for the zero vector."""
    return (vector.square().sum(-1) + 1e-12).sqrt()
