"""PyTorch Geometric graphs."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any

import torch
from torch import Tensor

from ..errors import InputError
from ..groups.base import Group
from .base import Action, Each, graph_of_node, same_precision


class Graph(Action):
    """A PyG Data or Batch: moves `pos` and the named per-node `vectors`.

    Every node moves by the element of its own graph; vectors ignore offsets. The batch passed in
    is not changed. Edge attributes are not moved: compute those that depend on positions inside
    the model.
    """

    def __init__(self, vectors: Sequence[str] = ()):
        self.vectors = tuple(vectors)

    def act(self, group: Group, g: Each, x: Any) -> Any:
        """A copy of x with moved positions and vectors; raises InputError for other shapes."""
        if x.pos is None or x.pos.shape[-1] != group.dim:
            shape = None if x.pos is None else tuple(x.pos.shape)
            raise InputError(f"Graph({group}): expected pos (nodes, {group.dim}), got {shape}.")
        for name in self.vectors:
            if name not in x or x[name].shape != x.pos.shape:
                shape = tuple(x[name].shape) if name in x else "none"
                raise InputError(
                    f"Graph({group}): expected {name} of shape {tuple(x.pos.shape)}, got {shape}."
                )
        if len(g) != self.size(x):
            raise InputError(
                f"Graph({group}): expected one element for each of {self.size(x)} graphs, "
                f"got {len(g)}."
            )
        g, pos = same_precision(g, x.pos)
        g = g[graph_of_node(x)]
        linear = group.linear(g)
        moved = copy(x)
        moved.pos = (linear @ pos[..., None]).squeeze(-1)
        if group.homogeneous:
            moved.pos = moved.pos + g[:, :-1, -1]
        for name in self.vectors:
            moved[name] = (linear @ x[name].to(pos.dtype)[..., None]).squeeze(-1)
        return moved

    def size(self, x: Any) -> int:
        """The number of graphs."""
        if "ptr" in x:
            return len(x.ptr) - 1
        return 1 if x.batch is None else int(x.batch.max()) + 1 if len(x.batch) else 0

    def example(self, generator: torch.Generator, group: Group, n: int = 4) -> Any:
        """A batch of n graphs of 3, 4, ... nodes."""
        from torch_geometric.data import Batch, Data

        def draw(nodes: int) -> Tensor:
            return torch.randn(nodes, group.dim, generator=generator, dtype=torch.float64)

        graphs = [Data(pos=draw(3 + i), **{v: draw(3 + i) for v in self.vectors}) for i in range(n)]
        return Batch.from_data_list(graphs)  # pyright: ignore[reportArgumentType]
