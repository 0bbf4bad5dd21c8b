"""Averages over a compact group that are exact up to a degree.

`rule(group, degree)` gives elements and weights that sum to one; on SO3 it averages every
Wigner-D function up to that degree exactly. Coefficients, or Parseval's sum up to L, need a
rule of degree 2 L.
"""

from __future__ import annotations

from math import pi, sqrt

import numpy as np
import torch
from jaxtyping import Float
from scipy.integrate import lebedev_rule
from torch import Tensor

from .errors import InputError
from .groups import SO2, SO3, Compose, Finite, Group, Product
from .groups.so3 import from_quaternion

Rule = tuple[Float[Tensor, "n d d"], Float[Tensor, " n"]]

# the orders scipy has, less 13, 25 and 27, whose weights are not all positive
_ORDERS = [3, 5, 7, 9, 11, 15, 17, 19, 21, 23, 29, 31, 35, 41, 47, 53, 59, 65, 71, 77, 83, 89]
_ORDERS += [95, 101, 107, 113, 119, 125, 131]


def so3(degree: int) -> Rule:
    """Lebedev directions times degree + 1 equispaced turns: float64 (n, 3, 3) and (n,).

    Degree 9 is 38 x 10 = 380 rotations. Raises InputError outside 0 to 131.
    """
    if not 0 <= degree <= _ORDERS[-1]:
        raise InputError(
            f"quadrature.so3: expected a degree from 0 to {_ORDERS[-1]}, got {degree}."
        )
    if degree == 0:
        return torch.eye(3, dtype=torch.float64)[None], torch.ones(1, dtype=torch.float64)
    directions, weights = lebedev_rule(next(o for o in _ORDERS if o >= degree))
    tilt = _tilt(torch.from_numpy(directions.T.copy()))
    turns, _ = so2(degree)
    spin = torch.eye(3, dtype=torch.float64).repeat(len(turns), 1, 1)
    spin[:, :2, :2] = turns
    g = (tilt[:, None] @ spin[None]).flatten(0, 1)
    w = torch.from_numpy(weights / weights.sum()).repeat_interleave(len(turns)) / len(turns)
    return g, w


def so2(degree: int) -> Rule:
    """degree + 1 equispaced turns of the plane; raises InputError below degree 0."""
    return _circle(SO2(), degree)


def _circle(group: SO2, degree: int) -> Rule:
    """degree + 1 equispaced turns, in any representation of the circle."""
    if degree < 0:
        raise InputError(f"quadrature.so2: expected a degree of 0 or more, got {degree}.")
    angles = torch.arange(degree + 1, dtype=torch.float64)[:, None] * (2 * pi / (degree + 1))
    return group.exp(angles), torch.full((degree + 1,), 1 / (degree + 1), dtype=torch.float64)


def rule(group: Group, degree: int) -> Rule:
    """A rule for a compact group; raises InputError for one that is not, or has no known rule."""
    match group:
        case SO3():
            return so3(degree)
        case SO2():
            return _circle(group, degree)
        case Finite():
            m = len(group.elements)
            return group.elements.double(), torch.full((m,), 1 / m, dtype=torch.float64)
        case Compose():
            (a, wa), (b, wb) = rule(group.a, degree), rule(group.b, degree)
            return (a[:, None] @ b[None]).flatten(0, 1), (wa[:, None] * wb).flatten()
        case Product():
            (a, wa), (b, wb) = rule(group.a, degree), rule(group.b, degree)
            blocks = torch.stack([torch.block_diag(x, y) for x in a for y in b])
            return blocks, (wa[:, None] * wb).flatten()
    raise InputError(
        f"no quadrature is known on {group}: exact averages exist for SO2, SO3, O3, finite groups "
        "and what is composed of them."
    )


def super_fibonacci(n: int) -> Float[Tensor, "n 3 3"]:
    """n rotations spread evenly over SO(3), for any n (Alexa, CVPR 2022, algorithm 1)."""
    phi, psi = sqrt(2), 1.533751168755204288118041
    s = np.arange(n) + 0.5
    r, big_r = np.sqrt(s / n), np.sqrt(1 - s / n)
    alpha, beta = 2 * pi * s / phi, 2 * pi * s / psi
    q = np.stack(
        [r * np.sin(alpha), r * np.cos(alpha), big_r * np.sin(beta), big_r * np.cos(beta)], -1
    )
    return from_quaternion(torch.from_numpy(q))


def _tilt(directions: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3 3"]:
    """Rotations that take the z axis to each direction."""
    polar = torch.acos(directions[:, 2].clamp(-1, 1))
    azimuth = torch.atan2(directions[:, 1], directions[:, 0])
    zero = torch.zeros_like(polar)
    group = SO3()
    about_z = group.exp(torch.stack([zero, zero, azimuth], -1))
    return about_z @ group.exp(torch.stack([zero, polar, zero], -1))
