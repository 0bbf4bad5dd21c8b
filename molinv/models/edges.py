"""The list of edges of a padded batch, without a compiled extension."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from torch_geometric.data import Batch as GraphBatch

from ..datasets.batches import Batch

COINCIDENT = 1e-6  # angstrom


def edges(
    pos: Float[Tensor, "b n 3"],
    mask: Bool[Tensor, "b n"],
    cutoff: float,
    loops: bool = False,
) -> Int64[Tensor, "2 e"]:
    """All ordered pairs of atoms of one molecule closer than `cutoff` angstrom.

    Row 0 is the source and row 1 the target, as in PyG. Indices count the atoms of all molecules
    in order, without padding, as in `pos[mask]`. With `loops`, every atom is also its own
    neighbour. Two atoms at the same position are not neighbours, because they have no direction.
    The result has no gradient; compute distances from it.
    """
    vector = (pos[:, :, None] - pos[:, None]).detach()
    # differences, not torch.cdist, whose rounding depends on the number of atoms and the origin
    squared = vector.square().sum(-1)
    near = (squared < cutoff**2) & (squared > COINCIDENT**2)
    if loops:
        near = near | torch.eye(pos.shape[1], dtype=torch.bool, device=pos.device)
    near = near & mask[:, :, None] & mask[:, None]
    molecule, target, source = near.nonzero(as_tuple=True)
    node = mask.flatten().cumsum(0).view_as(mask) - 1
    return torch.stack([node[molecule, source], node[molecule, target]])


def molecule_of_atom(mask: Bool[Tensor, "b n"]) -> Int64[Tensor, " nodes"]:
    """The index of the molecule of each atom in `pos[mask]`."""
    return mask.nonzero()[:, 0]


def graph_batch(batch: Batch, cutoff: float, loops: bool = False) -> GraphBatch:
    """A PyG batch with pos (nodes, 3), z, edge_index, batch and ptr."""
    mask = batch.mask
    return GraphBatch(
        pos=batch.pos[mask],
        z=batch.z[mask],
        edge_index=edges(batch.pos, mask, cutoff, loops),
        batch=molecule_of_atom(mask),
        ptr=nn.functional.pad(mask.sum(1).cumsum(0), (1, 0)),
    )
