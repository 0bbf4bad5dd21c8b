"""Uniform scaling."""

from __future__ import annotations

from math import log

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import InputError
from .base import Group


class Scaling(Group):
    """Scaling of n-dimensional space by exp(xi); the coefficient is the log of the factor."""

    EXAMPLES = ((2,), (3,))

    def __init__(self, n: int = 3):
        if n < 1:
            raise InputError(f"Scaling: expected at least one dimension, got {n}.")
        super().__init__(torch.eye(n)[None], ["scale"], ["log-scale"], [log(2)], compact=False)

    def exp(self, xi: Float[Tensor, "*b 1"]) -> Float[Tensor, "*b d d"]:
        """exp(xi) times the identity."""
        return self.algebra(xi.exp())

    def log(self, g: Float[Tensor, "*b d d"]) -> Float[Tensor, "*b 1"]:
        """The log of the first entry."""
        return g[..., 0, :1].log()
