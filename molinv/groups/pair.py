"""What groups made of two groups have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from .base import Group


class Pair(Group, ABC):
    """Coefficients are those of `a`, then those of `b`; the parts meet only in the identity."""

    def __init__(
        self,
        generators: Float[Tensor, "k d d"],
        names: Sequence[str],
        a: Group,
        b: Group,
        homogeneous: bool = False,
    ):
        units, caps = [*a.units, *b.units], [*a.caps, *b.caps]
        compact = a.compact and b.compact
        super().__init__(generators, names, units, caps, compact=compact, homogeneous=homogeneous)
        self.a, self.b = a, b

    @abstractmethod
    def exp(self, xi: Float[Tensor, "*b k"]) -> Float[Tensor, "*b d d"]:
        """Both parts' elements, put together."""

    def apart(self, xi: Float[Tensor, "*b k"]) -> tuple[Tensor, Tensor]:
        """The coefficients of each part."""
        return xi[..., : self.a.k], xi[..., self.a.k :]

    def preimages(self, xi):
        a, b = self.apart(xi)
        rows = [torch.cat([x, y], -1) for x in self.a.preimages(a) for y in self.b.preimages(b)]
        return torch.stack(rows)

    def haar_density(self, xi):
        a, b = self.apart(xi)
        return self.a.haar_density(a) * self.b.haar_density(b)

    def extra_repr(self) -> str:
        return f"{self.a}, {self.b}"
