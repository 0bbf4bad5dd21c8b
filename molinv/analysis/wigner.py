"""Wigner-D functions up to a degree: an orthogonal basis of the functions on SO(3)."""

from __future__ import annotations

from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor


def wigner(g: Float[Tensor, "k 3 3"], degree: int) -> list[Float[Tensor, "k n n"]]:
    """The real irreducible representations D^0 to D^degree of rotations, (k, 2 l + 1, 2 l + 1).

    D^1 is the rotation matrix itself, in e3nn's order (y, z, x), and each further one comes from
    the one before and D^1 by Clebsch-Gordan coefficients: polynomials in g, without angles.
    """
    order = torch.tensor([1, 2, 0])
    first = g[:, order][:, :, order]
    made = [torch.ones_like(g[:, :1, :1]), first][: degree + 1]
    for l in range(1, degree):
        couple = _couple(l).to(g)
        made.append(torch.einsum("iam,jbn,kij,kab->kmn", couple, couple, made[l], first))
    return made


def basis(g: Float[Tensor, "k 3 3"], degree: int) -> Float[Tensor, "k f"]:
    """sqrt(2 l + 1) D^l_mn(g) for l = 0 to degree, orthonormal under Haar; f = sum (2 l + 1)^2."""
    columns = [d.flatten(1) * (2 * l + 1) ** 0.5 for l, d in enumerate(wigner(g, degree))]
    return torch.cat(columns, 1)


def degrees(degree: int) -> Float[Tensor, " f"]:
    """The l of each column of `basis`."""
    counts = torch.tensor([(2 * l + 1) ** 2 for l in range(degree + 1)])
    return torch.repeat_interleave(torch.arange(degree + 1), counts)


@cache
def _couple(l: int) -> Float[Tensor, "i a m"]:
    """The coefficients from degrees l and 1 to l + 1, with orthonormal columns."""
    from e3nn.o3 import wigner_3j

    return wigner_3j(l, 1, l + 1, dtype=torch.float64) * (2 * l + 3) ** 0.5
