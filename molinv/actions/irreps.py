"""Irreducible representations of O(3): features of any degree and parity, as e3nn orders them."""

from __future__ import annotations

import re

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import InputError
from ..groups.base import Group
from ..groups.wigner import wigner_d
from .base import Action, Each, same_precision

_TERM = re.compile(r"(?:(\d+)x)?(\d+)([eo])")
HIGHEST = 11  # e3nn's own limit


class Irreps(Action):
    """Features (b, d) or (b, ..., d) that are a direct sum of irreps, such as "8x0e + 4x1o + 2e".

    A term is multiplicity x degree and parity (e or o); d is the sum of multiplicity (2 l + 1).
    A rotation acts on degree l by Wigner's D^l in e3nn's real basis, where D^1 is the rotation
    matrix of (x, y, z). A reflecting element also multiplies by the parity. Offsets are ignored.

    D^l is computed from D^(l-1) and D^1, as a polynomial in the matrix. Its gradient is finite
    at the identity; that of e3nn's D^l, which uses Euler angles, is not.

    Raises InputError for text that cannot be parsed, and in `check` and `act` for a group that
    does more than rotate and reflect space.
    """

    def __init__(self, irreps: str = "2x0e + 0o + 1x1o + 1e + 2x2e + 3o"):
        self.terms = parse(irreps)
        self.dim = sum(n * (2 * l + 1) for n, l, _ in self.terms)

    def check(self, group: Group) -> None:
        """Raise InputError for a group that does more than rotate and reflect space."""
        if group.dim == 3:
            linear = group.linear(group.generators)
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

    def act(self, group: Group, g: Each, x: Float[Tensor, "b *m c"]) -> Float[Tensor, "b *m c"]:
        """D(g) x, degree by degree."""
        self.check(group)
        if x.ndim < 2 or x.shape[-1] != self.dim or len(x) != len(g):
            raise InputError(
                f"Irreps: expected {len(g)} x (..., {self.dim}), got {tuple(x.shape)}."
            )
        linear, x = same_precision(group.linear(g), x)
        sign = torch.linalg.det(linear).sign().detach()
        wigner = wigner_d(sign[:, None, None] * linear, max(l for _, l, _ in self.terms))
        flat, parts, start = x[:, None] if x.ndim == 2 else x.flatten(1, -2), [], 0
        for n, l, parity in self.terms:
            size = n * (2 * l + 1)
            part = flat[..., start : start + size].unflatten(-1, (n, 2 * l + 1)).flatten(1, 2)
            d = wigner[l] if parity > 0 else wigner[l] * sign[:, None, None]
            parts.append((part @ d.mT).unflatten(1, (flat.shape[1], n)).flatten(2))
            start += size
        return torch.cat(parts, -1).reshape(x.shape)

    def example(self, generator: torch.Generator, group: Group, n: int = 4) -> Tensor:
        """Normal features (n, 2, dim)."""
        return torch.randn(n, 2, self.dim, generator=generator, dtype=torch.float64)


def parse(irreps: str) -> list[tuple[int, int, int]]:
    """(multiplicity, degree, parity 1 or -1) of each term.

    Raises InputError for a term that cannot be parsed, or of a degree above HIGHEST.
    """
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
