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
from torch import Tensor

from .groups import SO2, SO3, Group
from .groups.base import Rule
from .groups.so3 import from_quaternion


def rule(group: Group, degree: int) -> Rule:
    """The group's own rule; raises InputError for one that is not compact, or has no known rule."""
    return group.rule(degree)


def so3(degree: int) -> Rule:
    """Rotations (n, 3, 3) and weights (n,), float64; raises InputError outside 0 to 131."""
    return SO3().rule(degree)


def so2(degree: int) -> Rule:
    """degree + 1 equispaced turns of the plane; raises InputError below degree 0."""
    return SO2().rule(degree)


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
