"""The base class of the published networks."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from torch import Tensor, nn

from .graph import Graph


class Peer(nn.Module):
    """A package's network and readout. An output is the sum of its atoms' contributions.

    The attributes are the package's settings for QM9:

    lr, batch_size, weight_decay, amsgrad   of AdamW
    clip    largest norm of the gradient; None does not clip
    ema     decay of the moving average of the weights, which is tested; None has no average
    cutoff  largest length of an edge, in angstrom
    """

    lr = 1e-4
    batch_size = 32
    weight_decay = 0.0
    clip: float | None = None
    amsgrad = False
    ema: float | None = None
    cutoff = 5.0

    def atoms(self, graph: Graph) -> Tensor:
        """Each atom's contribution to the outputs, (n, targets)."""
        raise NotImplementedError

    def forward(self, graph: Graph) -> Tensor:
        values = self.atoms(graph)
        return values.new_zeros(graph.count, values.shape[1]).index_add_(0, graph.batch, values)


def module(name: str, **contents: Any) -> None:
    """Make an importable module called `name` with these contents."""
    made = ModuleType(name)
    made.__dict__.update(contents)
    sys.modules[name] = made


def readout(width: int, targets: int, hidden: int | None = None) -> nn.Module:
    hidden = hidden or width // 2
    return nn.Sequential(nn.Linear(width, hidden), nn.SiLU(), nn.Linear(hidden, targets))
