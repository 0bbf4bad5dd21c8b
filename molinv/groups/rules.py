"""Quadrature rules on SO(3) that are exact for Wigner-D functions up to a degree."""

from __future__ import annotations

from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import InputError
from .base import Rule
from .point_group import PointGroup
from .so3 import SO3, About

# scipy's Lebedev orders, without 13, 25 and 27, which have negative weights
_ORDERS = [3, 5, 7, 9, 11, 15, 17, 19, 21, 23, 29, 31, 35, 41, 47, 53, 59, 65, 71, 77, 83, 89]
_ORDERS += [95, 101, 107, 113, 119, 125, 131]
# the average over a finite group is exact for degree l if no function of that degree is
# invariant under it; the lowest invariant one has l = 2 for D2, 3 for T, 4 for O and 6 for I
_GROUPS = {0: "C1", 1: "D2", 2: "T", 3: "O", 4: "I", 5: "I"}


@cache
def rotations(degree: int) -> Rule:
    """Rotations (n, 3, 3) and weights (n,) in float64: the known rule with the fewest nodes.

    For degrees 1 to 5 the nodes are the elements of D2, T, O, I and I: 4, 12, 24, 60 and 60
    rotations. For higher degrees they are Lebedev directions times degree + 1 equispaced
    rotations about each: degree 9 has 38 x 10 = 380. Raises InputError outside 0 to 131.
    """
    if degree not in range(_ORDERS[-1] + 1):
        raise InputError(f"SO3: expected a degree from 0 to {_ORDERS[-1]}, got {degree}.")
    if degree in _GROUPS:
        g, weights = PointGroup(_GROUPS[degree]).rule(degree)
        return SO3().normalize(g), weights
    from scipy.integrate import lebedev_rule  # takes half a second; low degrees don't need it

    directions, weights = lebedev_rule(next(o for o in _ORDERS if o >= degree))
    tilt = _tilt(torch.from_numpy(directions.T.copy()))
    spin, share = About().rule(degree)
    whole = torch.from_numpy(weights / weights.sum())
    return (tilt[:, None] @ spin).flatten(0, 1), (whole[:, None] * share).flatten()


def _tilt(directions: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3 3"]:
    """Rotations that take the z axis to each direction."""
    polar = torch.acos(directions[:, 2].clamp(-1, 1))
    azimuth = torch.atan2(directions[:, 1], directions[:, 0])
    zero = torch.zeros_like(polar)
    about_z = SO3().exp(torch.stack([zero, zero, azimuth], -1))
    return about_z @ SO3().exp(torch.stack([zero, polar, zero], -1))
