"""A small network for `payoff`, fast enough for many runs on one core."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from ...actions import Points
from ...datasets.batches import Batch
from ...models.base import Model
from ...models.features import Gaussians, safe_norm


class Atoms(Model):
    """A sum over atoms of an MLP of each atom's coordinates, element and distances to others.

    The coordinates are absolute, so no rotation is built in. The environment is
    sum_j K(r_ij) e(z_j) with `kernels` Gaussians K of the distance from 0.8 to 4 angstrom and
    `embedding` learned numbers e of each element. forward(pos (b, n, 3) in angstrom, z (b, n) with
    0 for padding) returns (b, t).
    """

    def __init__(self, targets: int = 1, width: int = 64, kernels: int = 8, embedding: int = 6):
        super().__init__()
        self.action = Points()
        self.element = nn.Embedding(119, embedding)
        self.radial = Gaussians(kernels, 0.8, 4.0, 3.2 / kernels)
        self.near = nn.Linear((kernels + 1) * embedding, width)
        self.place = nn.Linear(3, width)
        self.hidden = nn.Linear(width, width)
        self.read = nn.Linear(width, targets)

    def inputs(self, batch: Batch) -> tuple[Any, ...]:
        return batch.pos, batch.z

    def forward(self, pos: Float[Tensor, "b n 3"], z: Int64[Tensor, "b n"]) -> Tensor:
        inside = (z > 0)[..., None].to(pos.dtype)
        own = self.element(z) * inside
        kernel = self.radial(safe_norm(pos[:, :, None] - pos[:, None]))
        around = torch.einsum("bijk,bjc->bikc", kernel, own).flatten(2)
        x = nn.functional.silu(self.near(torch.cat([own, around], -1)) + self.place(pos))
        x = x + nn.functional.silu(self.hidden(x))
        return self.read_out((self.read(x) * inside).sum(1), inside.sum((1, 2)))
