"""The three functions every rotation's exponential needs, smooth at the identity.

Each is a function of the *squared* angle, so that no square root is differentiated at 0.
Below 0.25 rad a Taylor series stands in for the quotient, whose digits cancel there.
"""

from __future__ import annotations

from collections.abc import Callable
from math import factorial

import torch
from torch import Tensor

_SMALL = 0.0625  # (0.25 rad)^2: seven terms leave an error under 1e-20


def _smooth(square: Tensor, offset: int, quotient: Callable[[Tensor], Tensor]) -> Tensor:
    small = square < _SMALL
    series = torch.zeros_like(square)
    for n in reversed(range(7)):
        series = series * square + (-1) ** n / factorial(2 * n + offset)
    angle = torch.where(small, 1.0, square).sqrt()  # safe before the where below
    return torch.where(small, series, quotient(angle))


def sin_over(square: Tensor) -> Tensor:
    """sin(t) / t, for t^2 = `square` (rad^2)."""
    return _smooth(square, 1, lambda t: t.sin() / t)


def versine_over(square: Tensor) -> Tensor:
    """(1 - cos t) / t^2, for t^2 = `square` (rad^2)."""
    return _smooth(square, 2, lambda t: 0.5 * ((0.5 * t).sin() / (0.5 * t)) ** 2)


def excess_over(square: Tensor) -> Tensor:
    """(t - sin t) / t^3, for t^2 = `square` (rad^2)."""
    return _smooth(square, 3, lambda t: (t - t.sin()) / t**3)
