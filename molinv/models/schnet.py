"""PyTorch Geometric's SchNet, with an edge list that needs no compiled extension."""

from __future__ import annotations

from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch_geometric.nn.models import SchNet as PygSchNet
from torch_geometric.utils import to_dense_batch

from ..actions import Points
from ..datasets.batches import Batch
from .base import Model
from .edges import edges, molecule_of_atom
from .features import safe_norm


class Neighbours(nn.Module):
    """Pairs within `cutoff` angstrom and their distances; PyG's needs a compiled extension."""

    def __init__(self, cutoff: float):
        super().__init__()
        self.cutoff = cutoff

    def forward(
        self, pos: Float[Tensor, "nodes 3"], molecule: Int64[Tensor, " nodes"]
    ) -> tuple[Int64[Tensor, "2 e"], Float[Tensor, " e"]]:
        index = edges(*to_dense_batch(pos, molecule), self.cutoff)
        return index, safe_norm(pos[index[0]] - pos[index[1]])


class SchNet(Model):
    """Continuous-filter convolutions over distances: invariant by construction.

    Wraps torch_geometric.nn.SchNet with PyG's defaults. The last layer has one output for each
    target; the sum over atoms is divided by 20 to be of order one, unless a readout is set.
    forward(pos (b, n, 3) in angstrom, z (b, n) with 0 for padding) returns (b, targets).
    Source: Schütt et al., NeurIPS 2017 (arXiv 1706.08566).
    """

    symmetries = ("T(3)", "SO3", "O3")

    def __init__(
        self,
        targets: int = 1,
        width: int = 128,
        layers: int = 6,
        filters: int = 128,
        gaussians: int = 50,
        cutoff: float = 10.0,
    ):
        super().__init__()
        self.action = Points()
        self.net = PygSchNet(
            hidden_channels=width,
            num_filters=filters,
            num_interactions=layers,
            num_gaussians=gaussians,
            cutoff=cutoff,
            interaction_graph=Neighbours(cutoff),
        )
        self.net.embedding = nn.Embedding(119, width)  # PyG's has no elements after fermium
        self.net.lin2 = nn.Linear(width // 2, targets)
        nn.init.xavier_uniform_(self.net.lin2.weight)
        nn.init.zeros_(self.net.lin2.bias)

    def inputs(self, batch: Batch) -> tuple[Tensor, Tensor]:
        return batch.pos, batch.z

    def forward(self, pos: Float[Tensor, "b n 3"], z: Int64[Tensor, "b n"]) -> Tensor:
        mask = z > 0
        total = self.net(z[mask], pos[mask], molecule_of_atom(mask))
        return self.read_out(total, mask.sum(1))
