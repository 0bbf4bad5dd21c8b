"""The matrix exponential and logarithm, and the scalar functions in their closed forms.

The scalar functions are smooth at 0: below 0.25 a Taylor series replaces the quotient, whose
digits would cancel. Functions of an angle take its *square*, so that no square root is
differentiated at 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil, factorial, inf, log2

import torch
from jaxtyping import Float
from torch import Tensor

_ROOTS = 5  # square roots taken before the series of the logarithm
_DOUBLINGS = 4  # in `integral`: enough for norms up to 16, two and a half turns
_ORDER = 4  # the series of `integral` has the powers 0 to 15, in four groups of four
_TERMS = torch.tensor(
    [[1 / factorial(_ORDER * j + i + 1) for j in range(_ORDER)] for i in range(_ORDER)],
    dtype=torch.float64,
)


def matrix_exp(a: Float[Tensor, "*b d d"]) -> Float[Tensor, "*b d d"]:
    """torch.linalg.matrix_exp, as accurate for one matrix as for a batch.

    For a single float64 matrix, torch 2.13 stops its series too early: errors reach 1e-10.
    """
    if a[..., 0, 0].numel() == 1:
        return torch.linalg.matrix_exp(torch.stack([a, a]))[0]
    return torch.linalg.matrix_exp(a)


def matrix_log(g: Float[Tensor, "*b d d"]) -> Float[Tensor, "*b d d"]:
    """The principal logarithm, by inverse scaling and squaring (Higham 2008, section 11.5).

    Square roots are taken by the iteration of Denman and Beavers (1976), then log g =
    2 artanh((g - 1) (g + 1)^-1). Accurate to about 1e-13 in float64 if no eigenvalue of g is at
    or below 0; NaN or wrong otherwise.
    """
    eye = torch.eye(g.shape[-1], dtype=g.dtype, device=g.device).expand_as(g)
    for _ in range(_ROOTS):
        root, back = g, eye
        for _ in range(8):
            root, back = (root + _inverse(back)) / 2, (back + _inverse(root)) / 2
        g = root
    x = (g - eye) @ _inverse(g + eye)
    square, series = x @ x, eye / 21
    for odd in range(19, 0, -2):
        series = eye / odd + square @ series
    return 2 ** (_ROOTS + 1) * (x @ series)


def _inverse(g: Tensor) -> Tensor:
    """The inverse of g, infinite or NaN if g is singular."""
    return torch.linalg.inv_ex(g)[0]


def integral(a: Float[Tensor, "*b 2 2"]) -> Float[Tensor, "*b 2 2"]:
    """V(A), the integral of exp(t A) over t from 0 to 1, exact to the rounding of A's entries.

    V is an entire function, so its series needs no division by a determinant that may vanish.
    The series is summed at A / 2^n and doubled n times by V(2 A) = V(A) + A V(A)^2 / 2. This
    takes fewer operations than torch's matrix exponential. exp(A) = 1 + A V(A).
    """
    largest = float(a.detach().abs().sum(-1).max()) if a.numel() else 0.0
    far = largest if 16 < largest < inf else 16.0
    doublings = _DOUBLINGS + ceil(log2(far / 16))
    m = a.reshape(-1, 2, 2) / 2**doublings
    square = m @ m
    fourth = square @ square
    powers = torch.stack([torch.eye(2).to(m).expand_as(m), m, square, square @ m], -1)
    *parts, v = (powers @ _TERMS.to(m)).unbind(-1)  # factors of m^0, m^4, m^8 and m^12
    for part in reversed(parts):
        v = torch.baddbmm(part, fourth, v)
    for i in range(doublings):
        v = torch.baddbmm(v, m, v @ v, alpha=2 ** (i - 1))  # m stays A / 2^n
    return v.view_as(a)


def sin_over(square: Tensor) -> Tensor:
    """sin(t) / t, for t^2 = `square` (rad^2)."""
    return _of_angle(square, 1, lambda t: t.sin() / t)


def versine_over(square: Tensor) -> Tensor:
    """(1 - cos t) / t^2, for t^2 = `square` (rad^2)."""
    return _of_angle(square, 2, lambda t: 0.5 * ((0.5 * t).sin() / (0.5 * t)) ** 2)


def excess_over(square: Tensor) -> Tensor:
    """(t - sin t) / t^3, for t^2 = `square` (rad^2)."""
    return _of_angle(square, 3, lambda t: (t - t.sin()) / t**3)


def expm1_over(x: Tensor) -> Tensor:
    """(exp x - 1) / x."""
    series = [1 / factorial(n + 1) for n in range(12)]
    return _smooth(x, x.abs() < 0.25, series, lambda x: x.expm1() / x)


def _of_angle(square: Tensor, offset: int, quotient: Callable[[Tensor], Tensor]) -> Tensor:
    series = [(-1) ** n / factorial(2 * n + offset) for n in range(7)]  # remainder under 1e-20
    return _smooth(square, square < 0.0625, series, lambda square: quotient(square.sqrt()))


def _smooth(
    x: Tensor, small: Tensor, series: Sequence[float], quotient: Callable[[Tensor], Tensor]
) -> Tensor:
    total = torch.zeros_like(x)
    for coefficient in reversed(series):
        total = total * x + coefficient
    return torch.where(small, total, quotient(torch.where(small, 1.0, x)))
