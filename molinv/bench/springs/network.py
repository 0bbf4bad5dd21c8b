"""A network of all coordinates together, without symmetry."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn


class Accelerations(nn.Module):
    """An MLP with residual layers: positions (b, n, 3) to accelerations (b, n, 3)."""

    def __init__(self, particles: int, width: int = 96, layers: int = 2):
        super().__init__()
        self.start = nn.Linear(3 * particles, width)
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(layers))
        self.read = nn.Linear(width, 3 * particles)

    def forward(self, q: Float[Tensor, "b n 3"]) -> Float[Tensor, "b n 3"]:
        h = nn.functional.silu(self.start(q.flatten(1)))
        for layer in self.layers:
            h = h + nn.functional.silu(layer(h))
        return self.read(h).view_as(q)
