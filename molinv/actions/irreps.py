"""Irreducible representations of O(3): features of any degree and parity, as e3nn orders them."""

from __future__ import annotations

import re
from functools import cache
from math import factorial, sqrt

import torch
from jaxtyping import Float
from scipy.special import lpmv
from torch import Tensor

from ..errors import InputError
from ..groups.base import Group
from .base import Action

_TERM = re.compile(r"(?:(\d+)x)?(\d+)([eo])")
HIGHEST = 11  # e3nn's own limit


class Irreps(Action):
    """Features (b, d) or (b, ..., d) that are a direct sum of irreps, such as "8x0e + 4x1o + 2e".

    A term is multiplicity x degree and parity; d adds up multiplicity (2 l + 1). A rotation acts
    on degree l by Wigner's D^l in e3nn's real basis, where D^1 is the rotation of (x, y, z), and
    an element that reflects by the parity as well. D^l comes from D^(l-1) and D^1 by the product of
    their harmonics, and so is a polynomial in the matrix: its gradient is finite at the identity,
    where e3nn's own, through Euler angles, is not. They have no origin. Raises InputError for text
    that is no irreps, and in use for a group that does more than rotate and reflect space.
    """

    def __init__(self, irreps: str = "2x0e + 0o + 1x1o + 1e + 2x2e + 3o"):
        self.terms = parse(irreps)
        self.dim = sum(n * (2 * l + 1) for n, l, _ in self.terms)

    def check(self, group: Group) -> None:
        if group.dim == 3:
            linear = group.linear(group.generators) if group.k else group.generators
            if group.homogeneous and group.k:
                linear = group.generators[:, :-1, :-1]
            parts = [(linear + linear.mT).detach()]
            if group.elements is not None:
                turned = group.linear(group.elements)
                parts.append(turned @ turned.mT - torch.eye(3).to(turned))
            if all(float(part.abs().max()) < 1e-5 for part in parts if part.numel()):
                return
        raise InputError(
            f"Irreps: expected a group of rotations and reflections of space, such as SO3 or O3, "
            f"got {group}."
        )

    def act(
        self, group: Group, g: Float[Tensor, "b d d"], x: Float[Tensor, "b *m c"]
    ) -> Float[Tensor, "b *m c"]:
        self.check(group)
        if x.ndim < 2 or x.shape[-1] != self.dim or len(x) != len(g):
            raise InputError(
                f"Irreps: expected {len(g)} x (..., {self.dim}), got {tuple(x.shape)}."
            )
        linear = group.linear(g).to(x.dtype)
        sign = torch.linalg.det(linear).sign().detach()
        wigner = wigner_d(sign[:, None, None] * linear, max(l for _, l, _ in self.terms))
        flat, parts, start = x.reshape(len(x), -1, self.dim), [], 0
        for n, l, parity in self.terms:
            size = n * (2 * l + 1)
            part = flat[..., start : start + size].reshape(len(x), -1, 2 * l + 1)
            d = wigner[l] if parity > 0 else wigner[l] * sign[:, None, None]
            parts.append((part @ d.mT).reshape(len(x), flat.shape[1], size))
            start += size
        return torch.cat(parts, -1).reshape(x.shape)

    def size(self, x: Tensor) -> int:
        return len(x)

    def example(self, generator: torch.Generator, group: Group, n: int = 4) -> Tensor:
        return torch.randn(n, 2, self.dim, generator=generator, dtype=torch.float64)


def parse(irreps: str) -> list[tuple[int, int, int]]:
    """(multiplicity, degree, parity 1 or -1) of each term; InputError where one is none."""
    terms = []
    for text in irreps.replace(" ", "").split("+"):
        match = _TERM.fullmatch(text)
        if match is None or int(match[2]) > HIGHEST:
            raise InputError(
                f"Irreps: expected terms such as 8x0e + 4x1o, of degree 0 to {HIGHEST}, got "
                f"{text or irreps!r}."
            )
        terms.append((int(match[1] or 1), int(match[2]), 1 if match[3] == "e" else -1))
    return terms


def wigner_d(rotation: Float[Tensor, "b 3 3"], degree: int) -> list[Float[Tensor, "b _ _"]]:
    """D^0 to D^degree of rotations, (b, 2 l + 1, 2 l + 1), polynomials in their entries."""
    made = [torch.ones_like(rotation[:, :1, :1]), rotation][: degree + 1]
    for l in range(2, degree + 1):
        couple = _couple(l).to(rotation)
        product = torch.einsum("bij,bmn->bimjn", rotation, made[l - 1])
        product = product.reshape(len(rotation), couple.shape[1], -1)
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
    """Real spherical harmonics of unit vectors, m = -l..l, with y for the polar axis as e3nn's.

    Of mean square 1, each on the sphere.
    """
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
