"""Rotations of space about one axis."""

from __future__ import annotations

from math import pi

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import InputError
from .base import Group
from .so2 import SO2
from .so3 import rotation_generators


class About(SO2):
    """Rotations of space about the axis (x, y, z), of any length: a slab's normal, a field.

    The coefficient is the angle (rad), right-handed. The circle group again: Haar, preimages and
    quadrature are SO2's. Raises InputError for an axis of length 0.
    """

    EXAMPLES = ((), (1, -2, 2))

    def __init__(self, x: float | int = 0, y: float | int = 0, z: float | int = 1):
        axis = torch.tensor([x, y, z], dtype=torch.float64)
        if not axis.isfinite().all() or not axis.norm() > 0:
            raise InputError(f"About: expected an axis of finite length above 0, got {[x, y, z]}.")
        axis = axis / axis.norm()
        generator = torch.einsum("i,ijk->jk", axis, rotation_generators().double())
        Group.__init__(self, generator[None], ["angle"], ["rad"], [pi], compact=True)
        self.axis = tuple(axis.tolist())
        self.to(torch.get_default_dtype())  # rounded from what is exact

    def exp(self, xi: Float[Tensor, "*b 1"]) -> Float[Tensor, "*b 3 3"]:
        """I + sin(angle) K + (1 - cos(angle)) K^2."""
        turn = self.generators[0].to(xi)
        eye = torch.eye(3, dtype=xi.dtype, device=xi.device)
        return eye + self.algebra(xi.sin()) + (1 - xi.cos())[..., None] * (turn @ turn)

    def log(self, g: Float[Tensor, "*b 3 3"]) -> Float[Tensor, "*b 1"]:
        """The angle in (-pi, pi]."""
        sine = (self.generators[0].to(g) * g).sum((-1, -2))
        return torch.atan2(sine, g.diagonal(dim1=-2, dim2=-1).sum(-1) - 1)[..., None]
