"""Two groups, each acting on an object of its own."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from .base import Group
from .finite import Reflection
from .pair import Pair
from .so2 import SO2
from .so3 import SO3
from .translations import T


def _blocks(a: Tensor, b: Tensor) -> Tensor:
    """[[a, 0], [0, b]] over any batch shape."""
    upper = torch.cat([a, a.new_zeros(*a.shape[:-1], b.shape[-1])], -1)
    lower = torch.cat([b.new_zeros(*b.shape[:-1], a.shape[-1]), b], -1)
    return torch.cat([upper, lower], -2)


class Product(Pair):
    """Pairs (a, b), pose and colour say, as block-diagonal matrices; `split` takes them apart."""

    def __init__(self, a: Group, b: Group):
        super().__init__(
            torch.cat(
                [
                    _blocks(a.generators.detach(), b.identity(a.k).to(a.generators) * 0),
                    _blocks(a.identity(b.k).to(b.generators) * 0, b.generators.detach()),
                ]
            ),
            [f"a.{name}" for name in a.names] + [f"b.{name}" for name in b.names],
            a,
            b,
        )

    def split(self, g: Float[Tensor, "*b d d"]) -> tuple[Tensor, Tensor]:
        """The two elements of a pair."""
        return g[..., : self.a.d, : self.a.d], g[..., self.a.d :, self.a.d :]

    @property
    def elements(self) -> Float[Tensor, "m d d"] | None:
        a, b = self.a.elements, self.b.elements
        if a is None and b is None:
            return None
        a = self.a.identity(1) if a is None else a
        b = self.b.identity(1) if b is None else b
        return torch.stack([_blocks(x, y.to(x)) for x in a for y in b])

    def exp(self, xi: Float[Tensor, "*b k"]) -> Float[Tensor, "*b d d"]:
        a, b = self.apart(xi)
        return _blocks(self.a.exp(a), self.b.exp(b))

    def log(self, g: Float[Tensor, "*b d d"]) -> Float[Tensor, "*b k"]:
        a, b = self.split(g)
        return torch.cat([self.a.log(a), self.b.log(b)], -1)

    def inverse(self, g):
        a, b = self.split(g)
        return _blocks(self.a.inverse(a), self.b.inverse(b))

    def haar(self, n: int, generator: torch.Generator | None = None):
        a = self.a.haar(n, generator)
        return _blocks(a, self.b.haar(n, generator).to(a))

    @classmethod
    def examples(cls) -> Sequence[Group]:
        return [cls(SO3(), SO2()), cls(T(3), Reflection(2))]
