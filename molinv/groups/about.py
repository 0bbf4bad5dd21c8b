"""Rotations of space about one axis."""

from __future__ import annotations

from math import pi

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import InputError
from .base import Group
from .so3 import SO3, rotation_generators


class About(Group):
    """Rotations of space about the axis (x, y, z), of any length: a slab's normal, a field.

    The coefficient is the angle (rad), right-handed. Raises InputError for an axis of length 0.
    """

    def __init__(self, x: float | int = 0, y: float | int = 0, z: float | int = 1):
        axis = torch.tensor([x, y, z], dtype=torch.float64)
        if not axis.isfinite().all() or not axis.norm() > 0:
            raise InputError(f"About: expected an axis of finite length above 0, got {[x, y, z]}.")
        axis = axis / axis.norm()
        generator = torch.einsum("i,ijk->jk", axis, rotation_generators().double())
        super().__init__(
            generator.to(torch.get_default_dtype())[None], ["angle"], ["rad"], [pi], compact=True
        )
        self._space = SO3()

    @property
    def axis(self) -> Float[Tensor, " 3"]:
        """The unit vector along the axis, to the precision of the generator."""
        generator = self.generators[0]
        return torch.stack([generator[2, 1], generator[0, 2], generator[1, 0]])

    def exp(self, xi: Float[Tensor, "*b 1"]) -> Float[Tensor, "*b 3 3"]:
        if xi.shape[-1:] != (1,):
            raise InputError(f"{self}: expected coefficients (..., 1), got {tuple(xi.shape)}.")
        return self._space.exp(xi * self.axis.to(xi))

    def log(self, g: Float[Tensor, "*b 3 3"]) -> Float[Tensor, "*b 1"]:
        """The angle in (-pi, pi]."""
        length = self.axis.norm().to(g)
        sine = 0.5 * (g * self.generators[0].to(g)).sum((-1, -2)) / length
        cosine = 0.5 * (g.diagonal(dim1=-2, dim2=-1).sum(-1) - 1)
        return torch.atan2(sine, cosine)[..., None] / length

    def inverse(self, g):
        return g.mT

    def haar(self, n: int, generator: torch.Generator | None = None):
        angle = torch.rand(n, 1, **self._draw(generator)).to(self.generators) * 2 * pi
        return self.exp(angle)

    def preimages(self, xi):
        turns = torch.arange(-3, 4).to(xi).reshape(-1, *[1] * xi.ndim)
        return xi + 2 * pi * turns / self.axis.norm().to(xi)  # a length of 1 but for rounding

    def haar_density(self, xi):
        return torch.full_like(xi[..., 0], 1 / (2 * pi))

    def extra_repr(self) -> str:
        return ", ".join(f"{x:.3g}" for x in self.axis.tolist())

    @classmethod
    def examples(cls):
        return [cls(), cls(1, -2, 2)]
