"""Real Wigner matrices D^l of rotations, in e3nn's order."""

from __future__ import annotations

from functools import cache
from math import factorial, sqrt

import torch
from jaxtyping import Float
from torch import Tensor


def wigner_d(rotation: Float[Tensor, "b 3 3"], degree: int) -> list[Float[Tensor, "b _ _"]]:
    """D^0 to D^degree, each (b, 2 l + 1, 2 l + 1), as polynomials in the rotation's entries."""
    made = [torch.ones_like(rotation[:, :1, :1]), rotation][: degree + 1]
    for l in range(2, degree + 1):
        couple = _couple(l).to(rotation)
        product = torch.einsum("bij,bmn->bimjn", rotation, made[l - 1])
        product = product.flatten(3).flatten(1, 2)
        made.append(couple @ product @ couple.mT)
    return made


@cache
def _couple(l: int) -> Float[Tensor, "m k"]:
    """The coupling of a vector and degree l - 1 to degree l: (2 l + 1, 3 (2 l - 1)).

    It solves Y_l(r) = A (r x Y_(l-1)(r)) for all r. The solution A of least norm has no
    components of the other degrees in the product, so it commutes with rotations. Its rows are
    orthonormal.
    """
    generator = torch.Generator().manual_seed(l)
    r = torch.randn(16 * l * l, 3, generator=generator, dtype=torch.float64)
    r = r / r.norm(dim=1, keepdim=True)
    product = (r[:, :, None] * harmonics(r, l - 1)[:, None]).flatten(1)
    couple = torch.linalg.pinv(product, rtol=1e-10) @ harmonics(r, l)
    return couple.mT / couple.norm(dim=0)[:, None]


def harmonics(r: Float[Tensor, "k 3"], l: int) -> Float[Tensor, "k m"]:
    """Real spherical harmonics at unit vectors for m = -l..l: mean square 1, polar axis y."""
    from scipy.special import lpmv  # takes half a second, so imported only here

    x, y, z = r.unbind(1)
    angle = torch.atan2(x, z)
    columns = []
    for m in range(-l, l + 1):
        k = abs(m)
        norm = sqrt((2 * l + 1) * factorial(l - k) / factorial(l + k)) * (sqrt(2) if m else 1)
        legendre = torch.from_numpy(lpmv(k, l, y.numpy())) * (-1) ** k
        turn = torch.cos(k * angle) if m >= 0 else torch.sin(k * angle)
        columns.append(norm * legendre * turn)
    return torch.stack(columns, 1)
