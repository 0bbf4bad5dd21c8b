"""What the published networks have in common."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from torch import Tensor, nn

from .graph import Graph


class Peer(nn.Module):
    """Features of atoms by a package's network, and its readout: numbers that are summed.

    Attributes that the package's own settings for QM9 give: `lr`, `batch_size`, `weight_decay`,
    `clip` (of the gradient's norm, or None), `amsgrad`, `ema` (decay of the mean of weights that
    is tested, or None).
    """

    lr = 1e-4
    batch_size = 32
    weight_decay = 0.0
    clip: float | None = None
    amsgrad = False
    ema: float | None = None
    cutoff = 5.0

    def atoms(self, graph: Graph) -> Tensor:
        """Each atom's part of the outputs, (n, targets)."""
        raise NotImplementedError

    def forward(self, graph: Graph) -> Tensor:
        values = self.atoms(graph)
        return values.new_zeros(graph.count, values.shape[1]).index_add_(0, graph.batch, values)


def module(name: str, **contents: Any) -> None:
    """Let `import name` find these contents."""
    made = ModuleType(name)
    made.__dict__.update(contents)
    sys.modules[name] = made


def readout(width: int, targets: int, hidden: int | None = None) -> nn.Module:
    hidden = hidden or width // 2
    return nn.Sequential(nn.Linear(width, hidden), nn.SiLU(), nn.Linear(hidden, targets))
