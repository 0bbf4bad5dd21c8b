"""FAENet, from the package `faenet`, as a peer for the benchmarks."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch_geometric.utils import scatter

from ..actions import Points
from ..datasets.batches import Batch
from ..errors import InputError
from ..models.base import Model
from ..models.edges import edges, molecule_of_atom


class FAENet(Model):
    """The network of Duval et al. 2023 with the package's own settings, without built-in symmetry.

    Frame averaging is done by the model `canonical` around it. Its frames equal the package's
    (`frame_averaging_3D` with "se3-all" and "se3-stochastic") except for the order of the axes; a
    test compares them. torch_scatter, a compiled extension that the package needs, is replaced by
    PyG's `scatter`.

    Two settings differ from the package's defaults. `skip_co` is "concat_atom", because "concat"
    joins one number per layer and supports one target only. The last layer has one output per
    target, and the sum over atoms is divided by 20. The network's graph norm covers all atoms of a
    batch, so an output depends on the other molecules in the batch.

    Raises InputError if the package is not installed. Source: Duval et al., ICML 2023 (arXiv
    2305.05577); github.com/vict0rsch/faenet.
    """

    symmetries = ("T(3)",)

    def __init__(self, targets: int = 1, width: int = 128, layers: int = 4, cutoff: float = 6.0):
        super().__init__()
        self.action, self.cutoff = Points(), cutoff
        self.net = _package().FAENet(
            cutoff=cutoff,
            hidden_channels=width,
            num_filters=width,
            num_interactions=layers,
            tag_hidden_channels=0,
            skip_co="concat_atom",
        )
        block = self.net.output_block
        block.lin2 = nn.Linear(block.lin2.in_features, targets)

    def inputs(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Positions (b, n, 3) in angstrom and atomic numbers (b, n); 0 is padding."""
        return batch.pos, batch.z

    def forward(self, pos: Float[Tensor, "b n 3"], z: Int64[Tensor, "b n"]) -> Tensor:
        """The targets (b, t), sums over atoms divided by 20."""
        mask = z > 0
        graph = SimpleNamespace(pos=pos[mask], atomic_numbers=z[mask], batch=molecule_of_atom(mask))
        graph.edge_index = edges(pos, mask, self.cutoff)
        return self.net.energy_forward(graph, preproc=False)["energy"] / 20


def _package() -> ModuleType:
    """The package, with replacements for torch_scatter and for a column that mendeleev 1 lacks."""
    shim = ModuleType("torch_scatter")
    shim.scatter = scatter  # pyright: ignore[reportAttributeAccessIssue]
    sys.modules.setdefault("torch_scatter", shim)
    try:
        import faenet  # pyright: ignore[reportMissingImports]
        from faenet import embedding  # pyright: ignore[reportMissingImports]
        from mendeleev import fetch  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise InputError(
            f"FAENet needs the package faenet ({error}): pip install 'molinv[bench]'."
        ) from error

    def fetch_table(name: str):
        table = fetch.fetch_table(name)
        return table.assign(atomic_volume=table["atomic_weight"] / table["density"])  # cm^3 / mol

    embedding.fetch_table = fetch_table
    return faenet
