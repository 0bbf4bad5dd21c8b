"""Rotations of the plane."""

from __future__ import annotations

from copy import deepcopy
from math import ceil, pi

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import InputError
from .base import Group, Rule, drawn_on, unit_matrix


class SO2(Group):
    """Rotations of the plane by an angle (rad), counter-clockwise."""

    radius = pi
    orthogonal = True

    def __init__(self):
        generator = unit_matrix(2, (0, 1, -1.0), (1, 0, 1.0))
        super().__init__(generator[None], ["angle"], ["rad"], [pi], compact=True)

    def exp(self, xi: Float[Tensor, "*b 1"]) -> Float[Tensor, "*b 2 2"]:
        """cos(angle) 1 + sin(angle) G."""
        eye = torch.eye(2, dtype=xi.dtype, device=xi.device)
        return self.algebra(xi.sin()) + xi.cos()[..., None] * eye

    def log(self, g: Float[Tensor, "*b 2 2"]) -> Float[Tensor, "*b 1"]:
        """The angle in (-pi, pi]."""
        return torch.atan2(g[..., 1, 0], g[..., 0, 0])[..., None]

    def haar(self, n: int, generator: torch.Generator | None = None) -> Float[Tensor, "n d d"]:
        """Draw n rotations by angles uniform on the circle."""
        angle = torch.rand(n, 1, **drawn_on(self, generator)).to(self.generators) * 2 * pi
        return self.exp(angle)

    def rule(self, degree: int) -> Rule:
        """degree + 1 equispaced rotations; raises InputError below degree 0."""
        if degree < 0:
            raise InputError(f"{self}: expected a degree of 0 or more, got {degree}.")
        n = degree + 1
        angles = torch.arange(n, dtype=torch.float64)[:, None] * (2 * pi / n)
        g = deepcopy(self).double().cpu().exp(angles)
        return g, torch.full((n,), 1 / n, dtype=torch.float64)

    def basis(self, g: Float[Tensor, "n d d"], degree: int) -> tuple[Tensor, Tensor]:
        """1, sqrt(2) cos(l angle) and sqrt(2) sin(l angle), for l from 1 to `degree`."""
        angle = torch.arange(1, degree + 1).to(g) * self.log(g)
        columns = torch.stack([angle.cos(), angle.sin()], -1).flatten(1) * 2**0.5
        degrees = torch.arange(1, degree + 1).repeat_interleave(2)
        values = torch.cat([torch.ones_like(g[:, 0, :1]), columns], 1)
        return values, torch.cat([torch.zeros(1, dtype=torch.long), degrees])

    def preimages(self, xi: Float[Tensor, "*b 1"], reach: float) -> Float[Tensor, "m *b 1"]:
        """xi + 2 pi j, for integers j."""
        return xi + full_turns(xi, reach)

    def haar_density(self, xi: Float[Tensor, "*b 1"]) -> Float[Tensor, "*b"]:
        """1 / (2 pi)."""
        return torch.full_like(xi[..., 0], 1 / (2 * pi))


def full_turns(xi: Float[Tensor, "*b k"], reach: float) -> Float[Tensor, m * _]:
    """Multiples of 2 pi that can bring a coefficient within `reach`, on a new first axis."""
    furthest = float(xi.detach().norm(dim=-1).max()) if xi.numel() else 0.0
    most = ceil((reach + furthest) / (2 * pi))
    return 2 * pi * torch.arange(-most, most + 1).to(xi).reshape(-1, *[1] * xi.ndim)
