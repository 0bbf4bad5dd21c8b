"""The exponential of any 2 x 2 matrix with its integral, as few and plain operations.

V(A), the integral of exp(t A) over t from 0 to 1, is an entire function of A: nothing has to be
divided by a determinant that may vanish. It is summed at A / 2^n and doubled n times by
V(2 A) = V(A) + A V(A)^2 / 2; then exp(A) = 1 + A V(A). Torch's own exponential of a 3 x 3 matrix
goes back through that of a 6 x 6 one.
"""

from __future__ import annotations

from math import ceil, factorial, inf, log2

import torch
from jaxtyping import Float
from torch import Tensor

_DOUBLINGS = 4  # serve norms up to 16, that is two and a half turns
_ORDER = 4  # the series has the powers 0 to 15, in four groups of four
_TERMS = torch.tensor(
    [[1 / factorial(_ORDER * j + i + 1) for j in range(_ORDER)] for i in range(_ORDER)],
    dtype=torch.float64,
)


def integral(a: Float[Tensor, "*b 2 2"]) -> Float[Tensor, "*b 2 2"]:
    """V(A), exact to the rounding of the entries of A."""
    largest = float(a.detach().abs().sum(-1).max()) if a.numel() else 0.0
    far = largest if 16 < largest < inf else 16.0
    doublings = _DOUBLINGS + ceil(log2(far / 16))
    m = a.reshape(-1, 2, 2) / 2**doublings
    square = m @ m
    fourth = square @ square
    powers = torch.stack([torch.eye(2).to(m).expand_as(m), m, square, square @ m], -1)
    *parts, v = (powers @ _TERMS.to(m)).unbind(-1)  # of m^0, m^4, m^8 and m^12
    for part in reversed(parts):
        v = torch.baddbmm(part, fourth, v)
    for i in range(doublings):
        v = torch.baddbmm(v, m, v @ v, alpha=2 ** (i - 1))  # m here is not doubled itself
    return v.view_as(a)
