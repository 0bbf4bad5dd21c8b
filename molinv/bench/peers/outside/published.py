"""The published networks, with their packages' settings for QM9.

Packages are imported when a network is made, so an environment needs only one of them.
"""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from .graph import Graph
from .peer import Peer, module, readout

ELEMENTS = (1, 6, 7, 8, 9)


class _TorchMD(Peer):
    """TorchMD-NET's networks. `Graph` provides the edges in place of the package's extension."""

    settings: ClassVar[dict[str, Any]]

    def __init__(self, targets: int):
        super().__init__()
        self._stand_in()
        from torchmdnet.models.model import create_model  # pyright: ignore[reportMissingImports]

        made = create_model(_TORCHMD | self.settings)
        self.net = made.representation_model
        self.readout = self._readout(made.output_model, targets)

    def _readout(self, made: Any, targets: int) -> Any:
        return readout(256, targets)

    def _stand_in(self) -> None:
        """Replace the modules that load the extension."""

        def pairs(positions: Tensor, loop: bool = False, **settings: Any):
            edges = self.graph.edges
            if loop:
                edges = torch.cat([edges, torch.arange(len(positions)).expand(2, -1)], 1)
            vector = positions[edges[0]] - positions[edges[1]]
            length = torch.linalg.vector_norm(vector, dim=-1)
            return edges, vector, length, torch.tensor([edges.shape[1]])

        module("torchmdnet.extensions")
        module(
            "torchmdnet.extensions.ops",
            get_neighbor_pairs_kernel=pairs,
            is_current_stream_capturing=lambda: False,
        )

    def _features(self, graph: Graph) -> tuple[Tensor, Tensor | None]:
        self.graph = graph
        return self.net(graph.z, graph.pos, graph.batch)[:2]

    def atoms(self, graph: Graph) -> Tensor:
        return self.readout(self._features(graph)[0])


# settings shared by both configuration files
_TORCHMD = {
    "embedding_dimension": 256,
    "num_rbf": 64,
    "rbf_type": "expnorm",
    "trainable_rbf": False,
    "activation": "silu",
    "cutoff_lower": 0.0,
    "cutoff_upper": 5.0,
    "max_z": 128,
    "max_num_neighbors": 64,
    "precision": 32,
    "derivative": False,
    "atom_filter": -1,
    "prior_model": None,
    "output_model": "Scalar",
    "reduce_op": "add",
}


class TensorNet(_TorchMD):
    """TensorNet with the settings of TorchMD-NET's examples/TensorNet-QM9.yaml."""

    settings: ClassVar = {
        "model": "tensornet",
        "num_layers": 3,
        "equivariance_invariance_group": "O(3)",
    }
    batch_size = 16
    clip = 40.0


class EquivariantTransformer(_TorchMD):
    """The equivariant transformer with the settings of TorchMD-NET's examples/ET-QM9.yaml."""

    settings: ClassVar = {
        "model": "equivariant-transformer",
        "num_layers": 8,
        "num_heads": 8,
        "attn_activation": "silu",
        "distance_influence": "both",
        "neighbor_embedding": True,
    }
    lr = 4e-4
    batch_size = 128

    def _readout(self, made: Any, targets: int) -> Any:
        from torchmdnet.models.utils import (  # pyright: ignore[reportMissingImports]
            GatedEquivariantBlock,
        )

        first = made.output_network[0]
        return nn.ModuleList([first, GatedEquivariantBlock(128, targets, activation="silu")])

    def atoms(self, graph: Graph) -> Tensor:
        x, v = self._features(graph)
        for layer in self.readout:
            x, v = layer(x, v)
        return x


class PaiNN(Peer):
    """PaiNN with the settings of SchNetPack's experiment `qm9_atomwise`."""

    lr = 5e-4
    batch_size = 100

    def __init__(self, targets: int):
        super().__init__()
        from torch.utils.data import dataloader

        if not hasattr(dataloader, "T_co"):  # removed from torch, but imported by schnetpack
            dataloader.T_co = TypeVar("T_co", covariant=True)  # pyright: ignore
        from schnetpack import nn as parts  # pyright: ignore[reportMissingImports]
        from schnetpack import representation  # pyright: ignore[reportMissingImports]

        self.net = representation.PaiNN(
            n_atom_basis=128,
            n_interactions=3,
            radial_basis=parts.GaussianRBF(n_rbf=20, cutoff=self.cutoff),
            cutoff_fn=parts.CosineCutoff(self.cutoff),
        )
        self.readout = readout(128, targets)

    def atoms(self, graph: Graph) -> Tensor:
        i, j = graph.edges
        made = self.net(
            {
                "_atomic_numbers": graph.z,
                "_positions": graph.pos,
                "_Rij": graph.pos[j] - graph.pos[i],
                "_idx_i": i,
                "_idx_j": j,
                "_idx_m": graph.batch,
            }
        )
        return self.readout(made["scalar_representation"])


class MACE(Peer):
    """MACE with the defaults of `mace_run_train`, `--max_L 1` and 128 channels."""

    lr = 0.01
    batch_size = 16
    weight_decay = 5e-7
    amsgrad = True
    clip = 10.0
    ema = 0.99
    place: Tensor

    def __init__(self, targets: int):
        super().__init__()
        torch.serialization.add_safe_globals([slice])  # for a file of constants in e3nn 0.4
        from e3nn import o3  # pyright: ignore[reportMissingImports]
        from mace import modules  # pyright: ignore[reportMissingImports]

        blocks = modules.interaction_classes
        self.net = modules.ScaleShiftMACE(
            r_max=self.cutoff,
            num_bessel=8,
            num_polynomial_cutoff=5,
            max_ell=3,
            interaction_cls=blocks["RealAgnosticResidualInteractionBlock"],
            interaction_cls_first=blocks["RealAgnosticResidualInteractionBlock"],
            num_interactions=2,
            num_elements=len(ELEMENTS),
            hidden_irreps=o3.Irreps("128x0e + 128x1o"),
            MLP_irreps=o3.Irreps("16x0e"),
            atomic_energies=np.zeros(len(ELEMENTS)),
            avg_num_neighbors=14.0,
            atomic_numbers=list(ELEMENTS),
            correlation=3,
            gate=torch.nn.functional.silu,
            atomic_inter_scale=1.0,
            atomic_inter_shift=0.0,
        )
        self.net.readouts = (
            nn.ModuleList()
        )  # these have one target; `first` and `last` replace them
        self.first, self.last = nn.Linear(128, targets), readout(128, targets, 16)
        place = torch.zeros(119, dtype=torch.long)
        place[list(ELEMENTS)] = torch.arange(len(ELEMENTS))
        self.register_buffer("place", place)

    def atoms(self, graph: Graph) -> Tensor:
        net, kinds = self.net, nn.functional.one_hot(self.place[graph.z], len(ELEMENTS))
        kinds = kinds.to(graph.pos.dtype)
        vectors = graph.pos[graph.edges[1]] - graph.pos[graph.edges[0]]
        lengths = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)
        features, directions = net.node_embedding(kinds), net.spherical_harmonics(vectors)
        radial, cutoff = net.radial_embedding(lengths, kinds, graph.edges, net.atomic_numbers)
        made = []
        for i, (interaction, product) in enumerate(
            zip(net.interactions, net.products, strict=True)
        ):
            features, skip = interaction(
                node_attrs=kinds,
                node_feats=features,
                edge_attrs=directions,
                edge_feats=radial,
                edge_index=graph.edges,
                cutoff=cutoff,
                first_layer=i == 0,
            )
            features = product(node_feats=features, sc=skip, node_attrs=kinds)
            made.append(features[:, :128])
        return self.first(made[0]) + self.last(made[1])


class GotenNet(Peer):
    """GotenNet with the settings of its experiment `qm9` and 4 layers.

    torch_cluster and torch_scatter are imported by the package, but not used here.
    """

    def __init__(self, targets: int):
        super().__init__()
        import torch_geometric  # noqa: F401  # pyright: ignore  # imported first, because it looks for both modules

        module("torch_cluster", radius_graph=None)
        module("torch_scatter", scatter=None)
        import gotennet  # pyright: ignore[reportMissingImports]
        from gotennet.models.components.layers import (  # pyright: ignore[reportMissingImports]
            CosineCutoff,
        )

        self.net = gotennet.GotenNet(
            n_atom_basis=256,
            n_interactions=4,
            radial_basis="expnorm",
            n_rbf=64,
            cutoff_fn=CosineCutoff(self.cutoff),
            activation="swish",
            weight_init="xavier_uniform",
            bias_init="zeros",
            attn_dropout=0.1,
            scale_edge=False,
            lmax=2,
            sep_dir=True,
            sep_tensor=True,
        )
        self.readout = readout(256, targets, 256)

    def atoms(self, graph: Graph) -> Tensor:
        itself = torch.arange(len(graph.z)).expand(2, -1)
        edges = torch.cat([graph.edges, itself], 1)
        vectors = graph.pos[edges[0]] - graph.pos[edges[1]]
        lengths = torch.linalg.vector_norm(vectors, dim=-1)
        return self.readout(self.net(graph.z, edges, lengths, vectors)[0])


PEERS = {
    "TensorNet": TensorNet,
    "ET": EquivariantTransformer,
    "PaiNN": PaiNN,
    "MACE": MACE,
    "GotenNet": GotenNet,
}
