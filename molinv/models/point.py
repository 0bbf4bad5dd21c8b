"""A transformer over the atoms of a molecule, with the geometry in its attention."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from ..actions import Points
from ..datasets.batches import Batch
from ..errors import unknown
from .base import Model
from .features import SOFT, Gaussians, safe_norm

GEOMETRIES = ("absolute", "displacement", "distance")


class Block(nn.Module):
    """Pre-norm attention with an additive bias for each pair, then a feed-forward."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.query, self.key, self.value, self.out = (
            nn.Linear(width, width, bias=False) for _ in range(4)
        )
        self.feed = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.SiLU(), nn.Linear(2 * width, width)
        )

    def forward(self, x: Float[Tensor, "b n d"], bias: Float[Tensor, "bh n n"]) -> Tensor:
        b, n, d = x.shape
        normed = self.norm(x)
        query, key, value = (
            layer(normed).view(b, n, self.heads, -1).transpose(1, 2).reshape(b * self.heads, n, -1)
            for layer in (self.query, self.key, self.value)
        )
        scale = query.shape[-1] ** -0.5
        attention = torch.baddbmm(bias, query, key.mT, alpha=scale).softmax(-1)
        mixed = (attention @ value).view(b, self.heads, n, -1).transpose(1, 2).reshape(b, n, d)
        x = x + self.out(mixed)
        return x + self.feed(x)


class Point(Model):
    """A transformer over atoms, in three variants that differ in one setting, `geometry`.

    "absolute"      atoms also see their raw coordinates: no symmetry is built in
    "displacement"  pairs see distance and direction r_ij / (|r_ij| + 0.1): translations are
    "distance"      pairs see their distance alone: invariant by construction, the control
    Each sees all that the next one sees. forward(pos (b, n, 3) in angstrom, z (b, n) with 0 for
    padding) returns (b, targets).
    """

    def __init__(
        self,
        targets: int = 1,
        width: int = 128,
        layers: int = 4,
        heads: int = 8,
        geometry: str = "absolute",
    ):
        super().__init__()
        if geometry not in GEOMETRIES:
            raise unknown("geometry", geometry, GEOMETRIES)
        self.action, self.geometry, self.heads, self.layers = Points(), geometry, heads, layers
        self.element = nn.Embedding(119, width)
        self.place = nn.Sequential(nn.Linear(3, width), nn.SiLU(), nn.Linear(width, width))
        self.radial = Gaussians()
        seen = len(self.radial.centres) + (0 if geometry == "distance" else 3)
        self.pair = nn.Sequential(nn.Linear(seen, 64), nn.SiLU(), nn.Linear(64, heads * layers))
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.read = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, targets)
        )
        if geometry != "absolute":
            del self.place

    def inputs(self, batch: Batch) -> tuple[Tensor, Tensor]:
        return batch.pos, batch.z

    def forward(self, pos: Float[Tensor, "b n 3"], z: Int64[Tensor, "b n"]) -> Tensor:
        mask = z > 0
        x = self.element(z)
        if self.geometry == "absolute":
            x = x + self.place(pos)
        for block, bias in zip(self.blocks, self._biases(pos, mask), strict=True):
            x = block(x, bias)
        return (self.read(x) * mask[..., None]).sum(1) / 20

    def _biases(
        self, pos: Float[Tensor, "b n 3"], mask: Bool[Tensor, "b n"]
    ) -> Float[Tensor, "layers bh n n"]:
        """The attention bias of every layer and head at once; padding attracts nothing."""
        b, n = mask.shape
        vector = pos[:, :, None] - pos[:, None]
        distance = safe_norm(vector)
        pairs = self.radial(distance)
        if self.geometry != "distance":
            pairs = torch.cat([pairs, vector / (distance[..., None] + SOFT)], -1)
        bias = self.pair(pairs).view(b, n, n, self.layers, self.heads)
        bias = bias.masked_fill(~mask[:, None, :, None, None], -1e4)
        return bias.permute(3, 0, 4, 1, 2).reshape(self.layers, b * self.heads, n, n)
