"""Point clouds."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import InputError
from ..groups.base import Group
from .base import Action, same_precision


class Points(Action):
    """Coordinates (b, N, n) of N points a batch entry, padded or not; offsets move points.

    Units are the group's. Raises InputError where the group acts on another dimension.
    """

    def act(
        self, group: Group, g: Float[Tensor, "b d d"], x: Float[Tensor, "b n dim"]
    ) -> Float[Tensor, "b n dim"]:
        """L x plus the offset of g, L its linear block."""
        if x.ndim != 3 or x.shape[-1] != group.dim or len(x) != len(g):
            raise InputError(
                f"Points({group}): expected pos (b, n, {group.dim}), got {tuple(x.shape)}, "
                f"with b = {len(g)} group elements."
            )
        g, x = same_precision(g, x)
        moved = x @ group.linear(g).mT
        return moved + g[:, None, :-1, -1] if group.homogeneous else moved

    def example(self, generator: torch.Generator, group: Group, n: int = 4) -> Tensor:
        """Normal points (n, 5, dim)."""
        return torch.randn(n, 5, group.dim, generator=generator, dtype=torch.float64)
