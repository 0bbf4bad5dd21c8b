"""A PyTorch Geometric message-passing network whose edges carry vectors."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch_geometric.data import Batch as GraphBatch
from torch_geometric.data import Data
from torch_geometric.nn import MessagePassing
from torch_geometric.utils import scatter, to_dense_batch

from ..actions import Graph as GraphAction
from ..datasets.batches import Batch
from ..datasets.features import Features
from .base import Model
from .edges import graph_batch
from .features import SOFT, Gaussians, safe_norm
from .readout import exactly, head

WHOLE = "known_whole"  # features of each molecule
# features of each node, of each edge, and of each node's molecule
KNOWN = ("known_atoms", "known_pairs", "known_molecules")


class Message(MessagePassing):
    """The sum of neighbours' states, filtered by edge attributes, then a residual update."""

    def __init__(self, width: int, edge: int):
        super().__init__(aggr="add")
        self.norm = nn.LayerNorm(width)
        self.send = nn.Linear(width, width, bias=False)
        self.filter = nn.Sequential(nn.Linear(edge, 64), nn.SiLU(), nn.Linear(64, width))
        self.update_state = nn.Sequential(
            nn.LayerNorm(2 * width),
            nn.Linear(2 * width, 2 * width),
            nn.SiLU(),
            nn.Linear(2 * width, width),
        )

    def forward(self, x: Tensor, edge_index: Tensor, edge: Tensor) -> Tensor:
        received = self.propagate(edge_index, x=self.send(self.norm(x)), edge=self.filter(edge))
        return x + self.update_state(torch.cat([x, received], -1))

    def message(self, x_j: Tensor, edge: Tensor) -> Tensor:  # pyright: ignore
        return x_j * edge


class Graph(Model):
    """Message passing on the graph of atoms within `cutoff` angstrom.

    Edge attributes are 32 Gaussians of the distance and the direction r_ij / (|r_ij| + 0.1), so
    the network is translation invariant but not rotation invariant. forward takes a PyG batch
    with pos (nodes, 3) in angstrom, z, edge_index and batch, as `inputs` makes it, and returns
    (b, t).
    """

    symmetries = ("T(3)",)

    def __init__(self, targets: int = 1, width: int = 128, layers: int = 4, cutoff: float = 4.0):
        super().__init__()
        self.action, self.cutoff = GraphAction(), cutoff
        self.element = nn.Embedding(119, width)
        self.radial = Gaussians()
        edge = len(self.radial.centres) + 3
        self.widths = (width, edge)
        self.messages = nn.ModuleList(Message(width, edge) for _ in range(layers))
        self.read = head(width, targets)

    def inputs(self, batch: Batch) -> tuple[GraphBatch]:
        """A PyG batch of all atoms, with every ordered pair within the cutoff as edges."""
        graph = graph_batch(batch, self.cutoff)
        for features in self.asked(batch):
            mask = batch.mask
            at = mask.nonzero()  # (molecule, index in it) of each node
            source, target = graph["edge_index"]
            pairs = features.pairs[at[target, 0], at[target, 1], at[source, 1]]
            known = features.atoms[mask], pairs, features.molecule[at[:, 0]]
            for name, value in zip(KNOWN, known, strict=True):
                setattr(graph, name, value)
            setattr(graph, WHOLE, features.molecule)
        return (graph,)

    def forward(self, graph: Data) -> Float[Tensor, "b t"]:
        x = self.element(graph.z)
        vector = graph.pos[graph.edge_index[1]] - graph.pos[graph.edge_index[0]]  # pyright: ignore
        distance = safe_norm(vector)
        edge = torch.cat([self.radial(distance), vector / (distance[:, None] + SOFT)], -1)
        whole = None
        if self.known is not None:
            whole = Features(x[:0], x[:0], graph[WHOLE])
            known = Features(*(graph[name] for name in KNOWN))
            x, edge = self.known.nodes(x, known), self.known.pairs(edge, known.pairs)
        for message in self.messages:
            x = message(x, graph.edge_index, edge)
        size = 1 if graph.batch is None else graph.num_graphs  # pyright: ignore
        total = scatter(exactly(self.read, x), graph.batch, 0, size)  # pyright: ignore
        atoms = scatter(torch.ones_like(x[:, 0]), graph.batch, 0, size)  # pyright: ignore
        outputs = self.read_out(total, atoms, whole)
        if self.auxiliary is None or not self.training:
            return outputs
        return self.beside(outputs, to_dense_batch(x, graph.batch, batch_size=size)[0])  # pyright: ignore
