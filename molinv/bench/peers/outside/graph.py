"""Molecules as one graph, with edges that are computed once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass
class Graph:
    """A batch of molecules.

    pos (n, 3), z (n,), batch (n,) with the molecule of each atom, edges (2, e), number of molecules
    """

    pos: Tensor
    z: Tensor
    batch: Tensor
    edges: Tensor
    count: int


class Part:
    """The molecules of one part of the split, with their edges."""

    def __init__(self, arrays: Any, name: str, cutoff: float):
        self.pos, self.z, self.ptr, self.y = (
            torch.from_numpy(arrays[f"{name}_{key}"]) for key in ("pos", "z", "ptr", "y")
        )
        found = []
        for start, end in zip(self.ptr[:-1].tolist(), self.ptr[1:].tolist(), strict=True):
            pos = self.pos[start:end]
            near = (pos[:, None] - pos[None]).square().sum(-1) < cutoff**2
            found.append(near.fill_diagonal_(False).nonzero().T)
        self.edges = torch.cat(found, 1)
        sizes = torch.tensor([edges.shape[1] for edges in found])
        self.edge_ptr = torch.cat([torch.zeros(1, dtype=torch.long), sizes.cumsum(0)])

    def __len__(self) -> int:
        return len(self.y)

    def take(self, rows: Tensor) -> tuple[Graph, Tensor]:
        """The molecules `rows` as one graph, and their target values."""
        atoms, batch, first = _ragged(self.ptr, rows)
        places, of, _ = _ragged(self.edge_ptr, rows)
        edges = self.edges[:, places] + first[of]
        return Graph(self.pos[atoms], self.z[atoms], batch, edges, len(rows)), self.y[rows]


def _ragged(ptr: Tensor, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Indices of all entries of the rows, the row of each, and the first index of each row."""
    sizes = ptr[rows + 1] - ptr[rows]
    row = torch.repeat_interleave(torch.arange(len(rows)), sizes)
    first = sizes.cumsum(0) - sizes
    return ptr[rows][row] + torch.arange(int(sizes.sum())) - first[row], row, first
