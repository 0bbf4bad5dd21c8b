"""Translations, scaling, and general affine maps near the identity."""

from __future__ import annotations

from math import log, pi

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import InputError
from .base import Group, assemble, unit_matrix
from .exponential import integral
from .so3 import rotation_generators


class T(Group):
    """Translations of n-dimensional space, as homogeneous (n + 1, n + 1) matrices; not compact.

    Coefficients are the offsets, in `unit`. Raises InputError for n below 1.
    """

    EXAMPLES = ((1,), (2,), (3,))

    def __init__(self, n: int = 3, unit: str = "angstrom", cap: float = 5.0):
        if n < 1:
            raise InputError(f"T: expected at least one dimension, got {n}.")
        generators = torch.stack([unit_matrix(n + 1, (i, n, 1.0)) for i in range(n)])
        names = [f"t{axis}" for axis in ("xyz" if n <= 3 else range(n))][:n]
        super().__init__(generators, names, [unit] * n, [cap] * n, compact=False, homogeneous=True)

    def exp(self, xi: Float[Tensor, "*b n"]) -> Float[Tensor, "*b d d"]:
        """[[I, xi], [0, 1]]."""
        return torch.eye(self.d, dtype=xi.dtype, device=xi.device) + self.algebra(xi)

    def log(self, g: Float[Tensor, "*b d d"]) -> Float[Tensor, "*b n"]:
        """The offset."""
        return g[..., :-1, -1]


class Scaling(Group):
    """Uniform scaling of n-dimensional space; the coefficient is the log of the factor.

    Raises InputError for n below 1.
    """

    EXAMPLES = ((2,), (3,))

    def __init__(self, n: int = 3):
        if n < 1:
            raise InputError(f"Scaling: expected at least one dimension, got {n}.")
        super().__init__(torch.eye(n)[None], ["scale"], ["log-scale"], [log(2)], compact=False)

    def exp(self, xi: Float[Tensor, "*b 1"]) -> Float[Tensor, "*b d d"]:
        """exp(xi) times the identity."""
        return self.algebra(xi.exp())

    def log(self, g: Float[Tensor, "*b d d"]) -> Float[Tensor, "*b 1"]:
        """The log of the first entry."""
        return g[..., 0, :1].log()


class Affine2(Group):
    """Affine maps of the plane: tx, ty, rotation, scale, stretch diag(1, -1), shear.

    Translations are in `unit`, the rotation in rad. Scale, stretch and shear coefficients are
    logs of factors: scale and stretch along the axes, shear along the diagonals. The logarithm
    is the general matrix logarithm.
    """

    def __init__(self, unit: str = "angstrom", cap: float = 5.0):
        generators = [
            *T(2).generators,
            unit_matrix(3, (0, 1, -1.0), (1, 0, 1.0)),
            unit_matrix(3, (0, 0, 1.0), (1, 1, 1.0)),
            unit_matrix(3, (0, 0, 1.0), (1, 1, -1.0)),
            unit_matrix(3, (0, 1, 1.0), (1, 0, 1.0)),
        ]
        names = ["tx", "ty", "rotation", "scale", "stretch", "shear"]
        units, caps = [unit, unit, "rad"] + ["log-scale"] * 3, [cap, cap, pi] + [log(2)] * 3
        stacked = torch.stack(generators)
        super().__init__(stacked, names, units, caps, compact=False, homogeneous=True)

    def exp(self, xi: Float[Tensor, "*b 6"]) -> Float[Tensor, "*b 3 3"]:
        """[[exp A, V v], [0, 1]], where V is the integral of exp(t A) over t from 0 to 1."""
        # float64, because each doubling in `integral` loses digits
        rate = self.algebra(xi.double())[..., :2, :]
        moved = (integral(rate[..., :2]) @ rate).to(xi.dtype)
        eye = torch.eye(2, dtype=xi.dtype, device=xi.device)
        return assemble(eye + moved[..., :2], moved[..., 2:])


class Affine3(Group):
    """Affine maps of space: 3 translations, 3 rotations, 3 shears, 2 squeezes, 1 scale.

    Translations are in `unit`, rotations in rad; the others are logs of factors.
    """

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
        units = [unit] * 3 + ["rad"] * 3 + ["log-scale"] * 6
        caps, stacked = [cap] * 3 + [pi] * 3 + [log(2)] * 6, torch.stack(generators)
        super().__init__(stacked, names, units, caps, compact=False, homogeneous=True)
