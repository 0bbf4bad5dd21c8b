"""Rotations of the plane."""

from __future__ import annotations

from math import pi

import torch
from jaxtyping import Float
from torch import Tensor

from .base import Group, unit_matrix


class SO2(Group):
    """Rotations of the plane by an angle (rad), counter-clockwise."""

    def __init__(self):
        generator = unit_matrix(2, (0, 1, -1.0), (1, 0, 1.0))
        super().__init__(generator[None], ["angle"], ["rad"], [pi], compact=True)

    def exp(self, xi: Float[Tensor, "*b 1"]) -> Float[Tensor, "*b 2 2"]:
        eye = torch.eye(2, dtype=xi.dtype, device=xi.device)
        return self.algebra(xi.sin()) + xi.cos()[..., None] * eye

    def log(self, g: Float[Tensor, "*b 2 2"]) -> Float[Tensor, "*b 1"]:
        """The angle in (-pi, pi]."""
        return torch.atan2(g[..., 1, 0], g[..., 0, 0])[..., None]

    def inverse(self, g):
        return g.mT

    def haar(self, n: int, generator: torch.Generator | None = None):
        angle = torch.rand(n, 1, **self._draw(generator)).to(self.generators) * 2 * pi
        return self.exp(angle)

    def preimages(self, xi):
        turns = torch.arange(-3, 4).to(xi).reshape(-1, *[1] * xi.ndim)
        return xi + 2 * pi * turns

    def haar_density(self, xi):
        return torch.full_like(xi[..., 0], 1 / (2 * pi))
