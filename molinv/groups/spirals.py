"""Rotations spread evenly over SO(3), for any number of them."""

from __future__ import annotations

from math import pi, sqrt

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from .so3 import from_quaternion


def super_fibonacci(n: int) -> Float[Tensor, "n 3 3"]:
    """n rotations spread evenly over SO(3), in float64 (Alexa, CVPR 2022, algorithm 1)."""
    phi, psi = sqrt(2), 1.533751168755204288118041
    s = np.arange(n) + 0.5
    r, big_r = np.sqrt(s / n), np.sqrt(1 - s / n)
    alpha, beta = 2 * pi * s / phi, 2 * pi * s / psi
    q = np.stack(
        [r * np.sin(alpha), r * np.cos(alpha), big_r * np.sin(beta), big_r * np.cos(beta)], -1
    )
    return from_quaternion(torch.from_numpy(q))
