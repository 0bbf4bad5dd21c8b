"""All invertible affine maps near the identity."""

from __future__ import annotations

from math import log, pi

import torch
from jaxtyping import Float
from torch import Tensor

from .base import Group, unit_matrix
from .plane import integral
from .so3 import rotation_generators
from .translations import T


class Affine2(Group):
    """Affine maps of the plane: tx, ty, rotation, scale, stretch diag(1, -1), shear.

    Half-widths of the last three are logs of factors along the axes or, for the shear, along
    the diagonals. No logarithm in closed form.
    """

    def __init__(self, unit: str = "angstrom", cap: float = 5.0):
        generators = [
            *T(2).generators,
            unit_matrix(3, (0, 1, -1.0), (1, 0, 1.0)),
            unit_matrix(3, (0, 0, 1.0), (1, 1, 1.0)),
            unit_matrix(3, (0, 0, 1.0), (1, 1, -1.0)),
            unit_matrix(3, (0, 1, 1.0), (1, 0, 1.0)),
        ]
        super().__init__(
            torch.stack(generators),
            ["tx", "ty", "rotation", "scale", "stretch", "shear"],
            [unit, unit, "rad"] + ["log-scale"] * 3,
            [cap, cap, pi] + [log(2)] * 3,
            compact=False,
            homogeneous=True,
        )

    def exp(self, xi: Float[Tensor, "*b 6"]) -> Float[Tensor, "*b 3 3"]:
        """[[exp A, V v], [0, 1]], V the integral of exp(t A) over t from 0 to 1."""
        rate = self.algebra(xi)[..., :2, :]
        eye = torch.eye(3, dtype=xi.dtype, device=xi.device).expand(*xi.shape[:-1], 3, 3)
        top = eye[..., :2, :] + integral(rate[..., :2]) @ rate
        return torch.cat([top, eye[..., 2:, :]], -2)


class Affine3(Group):
    """Affine maps of space: 3 translations, 3 rotations, 3 shears, 2 squeezes, 1 scale."""

    def __init__(self, unit: str = "angstrom", cap: float = 5.0):
        shears = [unit_matrix(4, (i, j, 1.0), (j, i, 1.0)) for i, j in ((1, 2), (0, 2), (0, 1))]
        squeezes = [
            unit_matrix(4, (0, 0, 1.0), (1, 1, -1.0)),
            unit_matrix(4, (1, 1, 1.0), (2, 2, -1.0)),
        ]
        scale = unit_matrix(4, (0, 0, 1.0), (1, 1, 1.0), (2, 2, 1.0))
        generators = [*T(3).generators, *rotation_generators(4), *shears, *squeezes, scale]
        names = ["tx", "ty", "tz", "wx", "wy", "wz"]
        names += ["shear_yz", "shear_xz", "shear_xy", "squeeze_xy", "squeeze_yz", "scale"]
        super().__init__(
            torch.stack(generators),
            names,
            [unit] * 3 + ["rad"] * 3 + ["log-scale"] * 6,
            [cap] * 3 + [pi] * 3 + [log(2)] * 6,
            compact=False,
            homogeneous=True,
        )
