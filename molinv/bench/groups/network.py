"""A small network of points around an origin, with no rotation built in."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn


class PointSum(nn.Module):
    """A sum over points of an MLP of their coordinates and of products of two coordinates.

    forward(x (b, n, 3)) returns (b,).
    """

    def __init__(self, width: int = 96, layers: int = 2):
        super().__init__()
        self.place = nn.Linear(9, width)
        self.hidden = nn.ModuleList(nn.Linear(width, width) for _ in range(layers))
        self.read = nn.Linear(width, 1)

    def forward(self, x: Float[Tensor, "b n 3"]) -> Float[Tensor, " b"]:
        # x x^T without its trace and repetitions; the trace is in the squares
        square, mixed = x.square() - 1 / 3, x * x.roll(1, -1)
        h = nn.functional.silu(self.place(torch.cat([x, square, mixed], -1)))
        for layer in self.hidden:
            h = h + nn.functional.silu(layer(h))
        return self.read(h).sum((1, 2))
