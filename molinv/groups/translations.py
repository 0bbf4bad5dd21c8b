"""Translations in any number of dimensions."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import InputError
from .base import Group, unit_matrix


class T(Group):
    """Translations of n-dimensional space, as (n + 1, n + 1) matrices; not compact."""

    EXAMPLES = ((1,), (2,), (3,))

    def __init__(self, n: int = 3, unit: str = "angstrom", cap: float = 5.0):
        if n < 1:
            raise InputError(f"T: expected at least one dimension, got {n}.")
        generators = torch.stack([unit_matrix(n + 1, (i, n, 1.0)) for i in range(n)])
        names = [f"t{axis}" for axis in ("xyz" if n <= 3 else range(n))][:n]
        super().__init__(generators, names, [unit] * n, [cap] * n, compact=False, homogeneous=True)

    def exp(self, xi: Float[Tensor, "*b n"]) -> Float[Tensor, "*b d d"]:
        """[[1, xi], [0, 1]]."""
        return torch.eye(self.d, dtype=xi.dtype, device=xi.device) + self.algebra(xi)

    def log(self, g: Float[Tensor, "*b d d"]) -> Float[Tensor, "*b n"]:
        """The offset."""
        return g[..., :-1, -1]
