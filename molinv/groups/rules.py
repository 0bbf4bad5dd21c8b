"""Rotations and weights that average every Wigner-D function up to a degree exactly."""

from __future__ import annotations

from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import InputError
from .base import Rule
from .point_group import PointGroup
from .so3 import SO3, About

# the orders scipy has, less 13, 25 and 27, whose weights are not all positive
_ORDERS = [3, 5, 7, 9, 11, 15, 17, 19, 21, 23, 29, 31, 35, 41, 47, 53, 59, 65, 71, 77, 83, 89]
_ORDERS += [95, 101, 107, 113, 119, 125, 131]
# a finite group averages degree l exactly where it leaves no function of that degree alone: the
# first that do are l = 2 for D2, 3 for T, 4 for O and 6 for I
_GROUPS = {0: "C1", 1: "D2", 2: "T", 3: "O", 4: "I", 5: "I"}


@cache
def rotations(degree: int) -> Rule:
    """float64 (n, 3, 3) and (n,): the fewest nodes of the rules known here.

    Up to degree 5 the elements of D2, T, O and I: 4, 12, 24, 60 and 60 rotations. Beyond it
    Lebedev directions times degree + 1 equispaced turns: degree 9 is 38 x 10 = 380 rotations.
    Raises InputError outside 0 to 131.
    """
    if degree not in range(_ORDERS[-1] + 1):
        raise InputError(f"SO3: expected a degree from 0 to {_ORDERS[-1]}, got {degree}.")
    if degree in _GROUPS:
        g, weights = PointGroup(_GROUPS[degree]).rule(degree)
        return SO3().normalize(g), weights
    from scipy.integrate import lebedev_rule  # half a second, which lower degrees do without

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
