"""The exponential of any 2 x 2 matrix with its integral, as few and plain operations.

V(A), the integral of exp(t A) over t from 0 to 1, is an entire function of A: nothing has to be
divided by a determinant that may vanish. It is summed at A / 16 and doubled four times by
V(2 A) = V(A) + A V(A)^2 / 2; then exp(A) = 1 + A V(A). Torch's own exponential of a 3 x 3 matrix
goes back through that of a 6 x 6 one, and costs three times as much.
"""

from __future__ import annotations

from math import factorial

import torch
from jaxtyping import Float
from torch import Tensor

_DOUBLINGS = 4
_ORDER = 4  # the series has the powers 0 to 15, in four groups of four
_TERMS = torch.tensor(
    [[1 / factorial(_ORDER * j + i + 1) for j in range(_ORDER)] for i in range(_ORDER)],
    dtype=torch.float64,
)


def integral(a: Float[Tensor, "*b 2 2"]) -> Float[Tensor, "*b 2 2"]:
    """V(A); exact to rounding for norms up to 16, that is five turns."""
    m = a / 2**_DOUBLINGS
    square = m @ m
    powers = torch.stack([torch.eye(2).to(a).expand_as(m), m, square, square @ m], -1)
    parts = (powers @ _TERMS.to(a)).unbind(-1)  # of m^0, m^4, m^8 and m^12
    fourth = square @ square
    v = parts[-1]
    for part in parts[-2::-1]:
        v = part + fourth @ v
    for _ in range(_DOUBLINGS):
        v = v + (0.5 * m) @ (v @ v)
        m = 2 * m
    return v


def inverse(m: Float[Tensor, "*b 2 2"]) -> Float[Tensor, "*b 2 2"]:
    """By adjugate and determinant."""
    a, b, c, d = m.flatten(-2).unbind(-1)
    entries = torch.stack([d, -b, -c, a], -1) / (a * d - b * c)[..., None]
    return entries.unflatten(-1, (2, 2))
