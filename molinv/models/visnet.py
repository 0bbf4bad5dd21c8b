"""PyTorch Geometric's ViSNet, with an edge list that needs no compiled extension."""

from __future__ import annotations

from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch_geometric.nn.models import ViSNet as PygViSNet
from torch_geometric.nn.models.visnet import GatedEquivariantBlock
from torch_geometric.utils import to_dense_batch

from ..actions import Points
from ..datasets.batches import Batch
from ..errors import InputError
from .base import Model
from .edges import edges, molecule_of_atom
from .features import safe_norm

FLOOR = 1e-4  # added to lengths of features, which are 0.01 to 1; changes outputs by 1e-6


class Neighbours(nn.Module):
    """Pairs within `cutoff` angstrom, including (i, i), with their distances and vectors."""

    def __init__(self, cutoff: float):
        super().__init__()
        self.cutoff = cutoff

    def forward(
        self, pos: Float[Tensor, "nodes 3"], molecule: Int64[Tensor, " nodes"]
    ) -> tuple[Int64[Tensor, "2 e"], Float[Tensor, " e"], Float[Tensor, "e 3"]]:
        index = edges(*to_dense_batch(pos, molecule), self.cutoff, loops=True)
        vector = pos[index[0]] - pos[index[1]]
        # (i, i) gets 0 without a gradient, because the curvature of safe_norm is 1e6 there
        distance = safe_norm(vector) * (index[0] != index[1])
        return index, distance, vector.clone()  # PyG normalises the vectors in place


class Floored(nn.Module):
    """Adds a constant component to vector features, so that their length is never zero.

    PyG only uses the length of `layer(v)`. At v = 0, as in a single atom, its second derivative
    would be NaN. The length remains invariant.
    """

    def __init__(self, layer: nn.Module):
        super().__init__()
        self.layer = layer

    def forward(self, v: Float[Tensor, "nodes k f"]) -> Float[Tensor, "nodes k1 g"]:
        return nn.functional.pad(self.layer(v), (0, 0, 0, 1), value=FLOOR)


class ViSNet(Model):
    """Equivariant scalar-vector message passing: invariant by construction.

    Wraps torch_geometric.nn.models.ViSNet with PyG's defaults; `degree` is the highest degree of
    its spherical harmonics (lmax, 1 or 2). The last block has one output for each target; the
    sum over atoms is divided by 20 to be of order one, unless a readout is set. PyG's atom
    references and standardisation are not used, because the trainer has both. forward(pos
    (b, n, 3) in angstrom, z (b, n) with 0 for padding) returns (b, targets). Raises InputError
    for another degree.
    Source: Wang et al., Nature Communications 15, 313 (2024) (arXiv 2210.16518).
    """

    symmetries = ("T(3)", "SO3", "O3")

    def __init__(
        self,
        targets: int = 1,
        width: int = 128,
        layers: int = 6,
        heads: int = 8,
        degree: int = 1,
        radial: int = 32,
        cutoff: float = 5.0,
    ):
        super().__init__()
        if degree not in (1, 2):
            raise InputError(f"visnet: expected a degree of 1 or 2, got {degree}.")
        self.action = Points()
        self.net = PygViSNet(
            lmax=degree,
            num_heads=heads,
            num_layers=layers,
            hidden_channels=width,
            num_rbf=radial,
            max_z=119,
            cutoff=cutoff,
        )
        self.net.representation_model.distance = Neighbours(cutoff)  # pyright: ignore
        self.net.prior_model = None  # pyright: ignore
        blocks = self.net.output_model.output_network
        blocks[-1] = GatedEquivariantBlock(width // 2, targets)
        for block in blocks:
            block.vec1_proj = Floored(block.vec1_proj)  # pyright: ignore

    def inputs(self, batch: Batch) -> tuple[Tensor, Tensor]:
        return batch.pos, batch.z

    def forward(self, pos: Float[Tensor, "b n 3"], z: Int64[Tensor, "b n"]) -> Tensor:
        mask = z > 0
        values, _ = self.net(z[mask], pos[mask], molecule_of_atom(mask))
        return self.read_out(values, mask.sum(1))
