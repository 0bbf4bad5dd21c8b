"""Rigid motions of the plane and of space, with and without reflections: translation first.

Source: Sola et al. 2018 (arXiv 1812.01537).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from math import pi

import torch
from jaxtyping import Float
from torch import Tensor

from .affine import T
from .base import Group, assemble
from .compose import Compose
from .exponential import excess_over, sin_over, versine_over
from .finite import Reflection
from .so2 import SO2
from .so3 import SO3


class _Rigid(Group, ABC):
    """exp(v, w) = [[R(w), V(w) v], [0, 1]] with V the left Jacobian."""

    orthogonal = True

    def __init__(self, rotations: SO2 | SO3, unit: str, cap: float):
        n, k = rotations.d, rotations.k
        names = [*T(n).names, *rotations.names]
        generators = torch.zeros(n + k, n + 1, n + 1)
        generators[:n], generators[n:, :n, :n] = T(n).generators, rotations.generators
        units, caps = [unit] * n + ["rad"] * k, [cap] * n + [pi] * k
        super().__init__(generators, names, units, caps, compact=False, homogeneous=True)
        self._rotations = rotations

    @abstractmethod
    def _jacobian(self, w: Float[Tensor, "*b k"]) -> Float[Tensor, "*b n n"]:
        """The integral of R(t w) over t from 0 to 1."""

    def exp(self, xi: Float[Tensor, "*b k"]) -> Float[Tensor, "*b d d"]:
        """[[R(w), V(w) v], [0, 1]]."""
        v, w = xi[..., : self.dim, None], xi[..., self.dim :]
        return assemble(self._rotations.exp(w), self._jacobian(w) @ v)

    def log(self, g: Float[Tensor, "*b d d"]) -> Float[Tensor, "*b k"]:
        """(V(w)^-1 t, w), with an angle of at most pi."""
        w = self._rotations.log(g[..., :-1, :-1])
        v = torch.linalg.solve(self._jacobian(w), g[..., :-1, -1:])
        return torch.cat([v.squeeze(-1), w], -1)


class SE2(_Rigid):
    """Rigid motions of the plane: (tx, ty, angle), translation first (Sola et al., eq. 158)."""

    def __init__(self, unit: str = "angstrom", cap: float = 5.0):
        super().__init__(SO2(), unit, cap)

    def _jacobian(self, w: Float[Tensor, "*b 1"]) -> Float[Tensor, "*b 2 2"]:
        diagonal, off = sin_over(w**2), w * versine_over(w**2)
        return torch.cat([diagonal, -off, off, diagonal], -1).unflatten(-1, (2, 2))


class SE3(_Rigid):
    """Rigid motions of space: (tx, ty, tz, wx, wy, wz), translation first (Sola, eq. 174)."""

    def __init__(self, unit: str = "angstrom", cap: float = 5.0):
        super().__init__(SO3(), unit, cap)

    def _jacobian(self, w: Float[Tensor, "*b 3"]) -> Float[Tensor, "*b 3 3"]:
        square = w.square().sum(-1)[..., None, None]
        cross = self._rotations.algebra(w)
        eye = torch.eye(3, dtype=w.dtype, device=w.device)
        return eye + versine_over(square) * cross + excess_over(square) * (cross @ cross)


class E2(Compose):
    """Distance-preserving maps of the plane: (tx, ty, angle), and the reflection diag(1, -1)."""

    EXAMPLES = ((),)

    def __init__(self, unit: str = "angstrom", cap: float = 5.0):
        super().__init__(SE2(unit, cap), Reflection(2, homogeneous=True))


class E3(Compose):
    """Distance-preserving maps of space: (tx, ty, tz, wx, wy, wz), and inversion."""

    EXAMPLES = ((),)

    def __init__(self, unit: str = "angstrom", cap: float = 5.0):
        super().__init__(SE3(unit, cap), Reflection(3, homogeneous=True))
