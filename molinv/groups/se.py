"""Rigid motions of the plane and of space: translation first, rotation last."""

from __future__ import annotations

from math import pi

import torch
from jaxtyping import Float
from torch import Tensor

from .base import Group, unit_matrix
from .so2 import SO2
from .so3 import SO3, rotation_generators
from .translations import T
from .trig import excess_over, sin_over, versine_over


def _assemble(rotation: Tensor, offset: Tensor) -> Tensor:
    """[[R, t], [0, 1]]."""
    top = torch.cat([rotation, offset[..., None]], -1)
    bottom = torch.zeros_like(top[..., :1, :])
    bottom[..., -1] = 1
    return torch.cat([top, bottom], -2)


def _rigid_inverse(g: Tensor) -> Tensor:
    rotation = g[..., :-1, :-1].mT
    return _assemble(rotation, -(rotation @ g[..., :-1, -1:]).squeeze(-1))


class SE2(Group):
    """Rigid motions of the plane: coefficients (tx, ty, angle), translation first.

    exp(v, w) = [[R(w), V(w) v], [0, 1]] with V the left Jacobian (Sola et al. 2018, eq. 158).
    """

    def __init__(self, unit: str = "angstrom", cap: float = 5.0):
        turn = unit_matrix(3, (0, 1, -1.0), (1, 0, 1.0))
        generators = torch.cat([T(2).generators, turn[None]])
        names, units = ["tx", "ty", "angle"], [unit, unit, "rad"]
        super().__init__(generators, names, units, [cap, cap, pi], compact=False, homogeneous=True)
        self._rotations = SO2()

    def _jacobian(self, angle: Tensor) -> Tensor:
        diagonal, off = sin_over(angle**2), angle * versine_over(angle**2)
        return torch.cat([diagonal, -off, off, diagonal], -1).unflatten(-1, (2, 2))

    def exp(self, xi: Float[Tensor, "*b 3"]) -> Float[Tensor, "*b 3 3"]:
        v, angle = xi[..., :2, None], xi[..., 2:]
        return _assemble(self._rotations.exp(angle), (self._jacobian(angle) @ v).squeeze(-1))

    def log(self, g: Float[Tensor, "*b 3 3"]) -> Float[Tensor, "*b 3"]:
        angle = self._rotations.log(g[..., :2, :2])
        return torch.cat([torch.linalg.solve(self._jacobian(angle), g[..., :2, 2]), angle], -1)

    def inverse(self, g):
        return _rigid_inverse(g)


class SE3(Group):
    """Rigid motions of space: coefficients (tx, ty, tz, wx, wy, wz), translation first.

    exp(v, w) = [[R(w), V(w) v], [0, 1]] with V the left Jacobian (Sola et al. 2018, eq. 174).
    """

    def __init__(self, unit: str = "angstrom", cap: float = 5.0):
        generators = torch.cat([T(3).generators, rotation_generators(4)])
        names = ["tx", "ty", "tz", "wx", "wy", "wz"]
        units, caps = [unit] * 3 + ["rad"] * 3, [cap] * 3 + [pi] * 3
        super().__init__(generators, names, units, caps, compact=False, homogeneous=True)
        self._rotations = SO3()

    def _jacobian(self, w: Tensor) -> Tensor:
        square = w.square().sum(-1)[..., None, None]
        cross = self._rotations.algebra(w)
        eye = torch.eye(3, dtype=w.dtype, device=w.device)
        return eye + versine_over(square) * cross + excess_over(square) * (cross @ cross)

    def exp(self, xi: Float[Tensor, "*b 6"]) -> Float[Tensor, "*b 4 4"]:
        v, w = xi[..., :3, None], xi[..., 3:]
        return _assemble(self._rotations.exp(w), (self._jacobian(w) @ v).squeeze(-1))

    def log(self, g: Float[Tensor, "*b 4 4"]) -> Float[Tensor, "*b 6"]:
        w = self._rotations.log(g[..., :3, :3])
        return torch.cat([torch.linalg.solve(self._jacobian(w), g[..., :3, 3]), w], -1)

    def inverse(self, g):
        return _rigid_inverse(g)
