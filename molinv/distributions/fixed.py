"""Distributions without parameters: baselines to compare learned distributions with."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import InputError
from ..groups.base import Group
from ..groups.finite import equally
from .base import Distribution, Extent


class Identity(Distribution):
    """Always the identity: no augmentation."""

    def noise(self, n: int, generator: torch.Generator | None = None) -> Float[Tensor, "n 0"]:
        """No numbers."""
        return torch.zeros(n, 0, device=self.group.generators.device)

    def transform(self, noise: Float[Tensor, "n 0"]) -> Float[Tensor, "n d d"]:
        """The identity."""
        return self.group.identity(len(noise))

    def support(self) -> tuple[Float[Tensor, "1 d d"], Float[Tensor, " 1"]]:
        """The identity alone."""
        one = self.group.identity(1)
        return one, one.new_ones(1)

    def extent(self) -> dict[str, Extent]:
        """0 along every generator."""
        return self._extents(torch.zeros(self.group.k), self.group.caps)

    def coverage(self) -> float | None:
        """0; on a finite group of m elements 1 / m; None if the group is not compact."""
        if not self.group.compact:
            return None
        elements = self.group.elements
        return 0.0 if self.group.k or elements is None else 1 / len(elements)

    def entropy(self) -> Tensor:
        """Minus infinity; on a finite group of m elements -log m."""
        return torch.tensor(self.coverage() or 0.0).log()


class Haar(Distribution):
    """The Haar measure: full augmentation by a compact group; raises InputError on others."""

    def __init__(self, group: Group, reward: str = "entropy"):
        super().__init__(group, reward)
        if not group.compact:
            raise InputError(f"Haar: expected a compact group such as SO3 or O3, got {group}.")

    def noise(self, n: int, generator: torch.Generator | None = None) -> Float[Tensor, "n m"]:
        """Elements drawn from Haar, as rows."""
        return self.group.haar(n, generator).flatten(1)

    def transform(self, noise: Float[Tensor, "n m"]) -> Float[Tensor, "n d d"]:
        """The rows as matrices."""
        return noise.unflatten(-1, (self.group.d, self.group.d))

    def support(self) -> tuple[Float[Tensor, "m d d"], Float[Tensor, " m"]] | None:
        """All elements of a finite group, equally likely."""
        elements = self.group.elements
        return None if self.group.k or elements is None else equally(elements)

    def extent(self) -> dict[str, Extent]:
        """The cap of every generator."""
        return self._extents(torch.tensor(self.group.caps), self.group.caps)

    def coverage(self) -> float:
        """1."""
        return 1.0

    def entropy(self) -> Tensor:
        """0: Haar itself."""
        return torch.zeros(())
