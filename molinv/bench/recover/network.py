"""Networks for the tasks of `recover` that `point` does not learn well."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from ...actions import Points
from ...datasets.batches import Batch
from ...models.base import Model
from ...models.features import Gaussians, safe_norm
from ...models.point import Point

_SCALE = 3.0  # angstrom, the usual length of a moment
_USUAL = 20  # the usual number of atoms


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


class Moments(Model):
    """An MLP of vectors sum_i q_i r_i, whose charges q_i are learned from the distances of atoms.

    The charges are those of `Point` without directions, so they do not depend on the pose, as in a
    dipole. The MLP reads the vectors' components and directions, so nothing is built in about
    rotations. `point` has larger errors in the direction of a dipole, and so cannot tell poses
    apart that differ by a few degrees. forward(pos (b, n, 3) in angstrom, z (b, n) with 0 for
    padding) returns (b, t).
    """

    def __init__(
        self,
        targets: int = 1,
        width: int = 64,
        layers: int = 3,
        hidden: int = 32,
        kernels: int = 8,
        vectors: int = 8,
        scalars: int = 16,
    ):
        super().__init__()
        self.action, self.vectors = Points(), vectors
        size = {"width": width, "layers": layers, "hidden": hidden, "kernels": kernels}
        self.atoms = Point(vectors + scalars, **size, geometry="distance", output="atom scalar")
        self.read = nn.Sequential(
            nn.Linear(6 * vectors + scalars, 2 * width),
            nn.SiLU(),
            nn.Linear(2 * width, width),
            nn.SiLU(),
            nn.Linear(width, targets),
        )

    def inputs(self, batch: Batch) -> tuple[Any, ...]:
        return batch.pos, batch.z

    def forward(self, pos: Float[Tensor, "b n 3"], z: Int64[Tensor, "b n"]) -> Tensor:
        charges, atoms = self.atoms(pos, z), (z > 0).sum(1).to(pos.dtype)
        found = charges[:, : self.vectors] @ pos / _SCALE
        along = found / (safe_norm(found)[..., None] + 0.1)
        rest = charges[:, self.vectors :].sum(-1) / _USUAL
        read = self.read(torch.cat([found.flatten(1), along.flatten(1), rest], 1))
        return self.read_out(read * atoms[:, None], atoms)
