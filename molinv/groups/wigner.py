"""Wigner's real matrices D^l of rotations, as e3nn orders them."""

from __future__ import annotations

from functools import cache
from math import factorial, sqrt

import torch
from jaxtyping import Float
from torch import Tensor


def wigner_d(rotation: Float[Tensor, "b 3 3"], degree: int) -> list[Float[Tensor, "b _ _"]]:
    """D^0 to D^degree of rotations, (b, 2 l + 1, 2 l + 1), polynomials in their entries."""
    made = [torch.ones_like(rotation[:, :1, :1]), rotation][: degree + 1]
    for l in range(2, degree + 1):
        couple = _couple(l).to(rotation)
        product = torch.einsum("bij,bmn->bimjn", rotation, made[l - 1])
        product = product.flatten(3).flatten(1, 2)
        made.append(couple @ product @ couple.mT)
    return made


@cache
def _couple(l: int) -> Float[Tensor, "m k"]:
    """What makes degree l of vector x degree (l - 1), (2 l + 1, 3 (2 l - 1)), orthonormal rows.

    Y_l(r) = A (r x Y_(l-1)(r)) for all r; of all such A, the one of least norm has nothing of the
    other degrees in the product, and a rotation turns it as it turns Y_l.
    """
    generator = torch.Generator().manual_seed(l)
    r = torch.randn(16 * l * l, 3, generator=generator, dtype=torch.float64)
    r = r / r.norm(dim=1, keepdim=True)
    product = (r[:, :, None] * harmonics(r, l - 1)[:, None]).flatten(1)
    couple = torch.linalg.pinv(product, rtol=1e-10) @ harmonics(r, l)
    return couple.mT / couple.norm(dim=0)[:, None]


def harmonics(r: Float[Tensor, "k 3"], l: int) -> Float[Tensor, "k m"]:
    """Real spherical harmonics of mean square 1 at unit vectors, m = -l..l, y the polar axis."""
    from scipy.special import lpmv  # half a second, which nothing else needs

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
