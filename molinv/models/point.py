"""Continuous convolutions over the atoms of a molecule, with no rotation built in."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from ..actions import Points
from ..datasets.batches import Batch
from ..errors import InputError, unknown
from .base import Model
from .features import SOFT, Gaussians, safe_norm

SYMMETRIES = {"absolute": (), "displacement": ("T(3)",), "distance": ("T(3)", "SO3", "O3")}


class Layer(nn.Module):
    """Every atom sums all atoms' states, weighted by kernels of the pair, then a feed-forward.

    Each of k kernels weighs width / k channels, and `inside` is 0 where a message would come from
    padding. Nothing normalises the weights: softmax
    attention with the pair's features as its bias, in this place, made twice the error.
    """

    def __init__(self, width: int):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.value = nn.Linear(width, width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.feed = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.SiLU(), nn.Linear(2 * width, width)
        )

    def forward(
        self,
        x: Float[Tensor, "b n d"],
        kernel: Float[Tensor, "b k n n"],
        inside: Float[Tensor, "b n 1"],
    ) -> Float[Tensor, "b n d"]:
        b, n, d = x.shape
        value = (self.value(self.norm(x)) * inside).view(b, n, kernel.shape[1], -1)
        received = (kernel @ value.transpose(1, 2)).transpose(1, 2).reshape(b, n, d)
        x = x + self.out(received)
        return x + self.feed(x)


class Point(Model):
    """A convolutional network over atoms, in three variants that differ in one setting, `geometry`.

    "absolute"      atoms also see their raw coordinates: no symmetry is built in
    "displacement"  pairs see distance and direction r_ij / (|r_ij| + 0.1): translations are
    "distance"      pairs see their distance alone: invariant by construction, the control
    Each sees all that the next one sees. forward(pos (b, n, 3) in angstrom, z (b, n) with 0 for
    padding) returns (b, targets).
    """

    def __init__(
        self,
        targets: int = 1,
        width: int = 160,
        layers: int = 4,
        kernels: int = 16,
        hidden: int = 64,
        geometry: str = "absolute",
    ):
        super().__init__()
        if geometry not in SYMMETRIES:
            raise unknown("geometry", geometry, SYMMETRIES)
        if width % kernels:
            raise InputError(
                f"point: expected a width divisible by {kernels} kernels, got {width}."
            )
        self.action, self.geometry = Points(), geometry
        self.symmetries = SYMMETRIES[geometry]
        self.element = nn.Embedding(119, width)
        if geometry == "absolute":
            self.place = nn.Sequential(nn.Linear(3, width), nn.SiLU(), nn.Linear(width, width))
        self.radial = Gaussians()
        seen = len(self.radial.centres) + (0 if geometry == "distance" else 3)
        self.pair = nn.Sequential(
            nn.Linear(seen, hidden), nn.SiLU(), nn.Linear(hidden, layers * kernels)
        )
        self.layers = nn.ModuleList(Layer(width) for _ in range(layers))
        self.read = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, targets)
        )

    def inputs(self, batch: Batch) -> tuple[Tensor, Tensor]:
        return batch.pos, batch.z

    def forward(self, pos: Float[Tensor, "b n 3"], z: Int64[Tensor, "b n"]) -> Tensor:
        inside = (z > 0)[..., None].to(pos.dtype)
        x = self.element(z)
        if self.geometry == "absolute":
            x = x + self.place(pos)
        for layer, kernel in zip(self.layers, self._kernels(pos), strict=True):
            x = layer(x, kernel, inside)
        return (self.read(x) * inside).sum(1) / 20

    def _kernels(self, pos: Float[Tensor, "b n 3"]) -> Float[Tensor, "layers b k n n"]:
        """Every layer's kernels at once."""
        b, n, _ = pos.shape
        vector = pos[:, :, None] - pos[:, None]
        distance = safe_norm(vector)
        seen = self.radial(distance)
        if self.geometry != "distance":
            seen = torch.cat([seen, vector / (distance[..., None] + SOFT)], -1)
        return self.pair(seen).view(b, n, n, len(self.layers), -1).permute(3, 0, 4, 1, 2)
