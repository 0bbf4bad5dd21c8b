"""A network that can learn a triple product, for the chiral task of `recover`."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from ...actions import Points
from ...datasets.batches import Batch
from ...models.base import Model
from ...models.features import Gaussians, safe_norm

_SCALE = 3.0  # angstrom, the usual length of a moment


class Products(Model):
    """An MLP of moments of a molecule, and of their products of second and third order.

    A moment is sum_i w(z_i, |r_i|) r_i with learned weights w. Products are of `rank` learned
    linear combinations of all components (a canonical polyadic decomposition), so nothing is
    built in about rotations or reflections. A pseudoscalar is a polynomial of third degree; a
    network without products, such as `point`, did not learn one. forward(pos (b, n, 3) in
    angstrom, z (b, n) with 0 for padding) returns (b, t).
    """

    def __init__(self, targets: int = 1, width: int = 64, moments: int = 16, rank: int = 64):
        super().__init__()
        self.action = Points()
        self.element = nn.Embedding(119, 16)
        self.radial = Gaussians(8, 0.0, 5.0, 0.7)
        self.weigh = nn.Sequential(nn.Linear(16 + 8, width), nn.SiLU(), nn.Linear(width, moments))
        self.factors = nn.Linear(3 * moments, 3 * rank, bias=False)
        total = 3 * moments + 3 * rank
        self.read = nn.Sequential(
            nn.LayerNorm(total), nn.Linear(total, width), nn.SiLU(), nn.Linear(width, targets)
        )

    def inputs(self, batch: Batch) -> tuple[Any, ...]:
        return batch.pos, batch.z

    def forward(self, pos: Float[Tensor, "b n 3"], z: Int64[Tensor, "b n"]) -> Tensor:
        inside = (z > 0)[..., None].to(pos.dtype)
        weights = self.weigh(torch.cat([self.element(z), self.radial(safe_norm(pos))], -1)) * inside
        moments = torch.einsum("bnk,bnd->bkd", weights, pos).flatten(1) / _SCALE
        a, b, c = self.factors(moments).chunk(3, -1)
        # asinh shortens the tails of the products and keeps their signs
        terms = torch.cat([moments, a, a * b, a * b * c], -1).asinh()
        atoms = inside.sum((1, 2))
        return self.read_out(self.read(terms) * atoms[:, None], atoms)
