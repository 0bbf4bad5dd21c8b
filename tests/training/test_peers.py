"""Wrapped networks equal PyTorch Geometric's: molinv's edges change nothing."""

import pytest
import torch
from torch_geometric.nn.models import ViSNet
from torch_geometric.nn.models.visnet import Distance

from molinv import models
from molinv.models.edges import edges, graph_batch

SMALL = {"width": 32, "layers": 2, "cutoff": 2.5}


def some(n=5, atoms=9):
    generator = torch.Generator().manual_seed(0)
    sizes = torch.randint(3, atoms + 1, (n,), generator=generator)
    mask = torch.arange(atoms) < sizes[:, None]
    z = torch.randint(1, 10, (n, atoms), generator=generator) * mask
    return torch.randn(n, atoms, 3, generator=generator).double() * mask[..., None], z


def pairs(pos, molecule, cutoff, loops):
    """The pairs within the cutoff by definition, with a loop."""
    found = [
        (j, i)
        for i in range(len(pos))
        for j in range(len(pos))
        if molecule[i] == molecule[j] and (loops if i == j else (pos[i] - pos[j]).norm() < cutoff)
    ]
    return torch.tensor(found).T


@pytest.mark.parametrize("loops", [False, True])
def test_edges_are_the_pairs_within_the_cutoff(loops):
    pos, z = some()
    found = edges(pos, z > 0, 2.5, loops)
    want = pairs(pos[z > 0], (z > 0).nonzero()[:, 0], 2.5, loops)
    assert len(want.T) < (z > 0).sum(1).square().sum()
    assert {tuple(e) for e in found.T.tolist()} == {tuple(e) for e in want.T.tolist()}
    assert len(found.T) == len(want.T)
    assert not edges(torch.ones(1, 2, 3), torch.ones(1, 2).bool(), 2.5).numel()


def test_a_graph_batch_counts_atoms_in_a_row():
    from molinv.datasets.batches import Batch

    pos, z = some()
    graph = graph_batch(Batch(pos, z, pos.new_zeros(5, 1), torch.arange(5)), 2.5)
    assert graph.num_graphs == 5
    assert graph.ptr.diff().tolist() == (z > 0).sum(1).tolist()
    assert torch.equal(graph.pos[graph.ptr[2] : graph.ptr[3]], pos[2][z[2] > 0])
    assert (graph.batch[graph.edge_index[0]] == graph.batch[graph.edge_index[1]]).all()


@pytest.mark.parametrize("degree", [1, 2])
def test_visnet_is_the_librarys(degree, monkeypatch):
    torch.manual_seed(0)
    pos, z = some()
    ours = models.make("visnet", 1, SMALL | {"heads": 4, "degree": degree}).double()
    theirs = ViSNet(
        lmax=degree, num_heads=4, num_layers=2, hidden_channels=32, cutoff=2.5, max_z=119
    ).double()
    state = {k.replace(".layer.", "."): v for k, v in ours.net.state_dict().items()}
    missing, unexpected = theirs.load_state_dict(state, strict=False)
    assert all(name.startswith("prior_model") for name in missing)
    assert not unexpected

    def distance(self, pos, batch):
        index = pairs(pos, batch, self.cutoff, True)
        vector = pos[index[0]] - pos[index[1]]
        return index, vector.norm(dim=1), vector

    monkeypatch.setattr(Distance, "forward", distance)
    mask = z > 0
    want, _ = theirs(z[mask], pos[mask], mask.nonzero()[:, 0])
    # the only difference is the lower bound of 1e-4 on lengths
    assert (ours(pos, z) - want / 20).abs().max() < 1e-4 * want.abs().max()


def test_schnet_is_the_librarys(monkeypatch):
    pos, z = some()
    ours = models.make("schnet", 2, SMALL).double()

    def graph(pos, batch):
        index = pairs(pos, batch, 2.5, False)
        return index, (pos[index[0]] - pos[index[1]]).norm(dim=1)

    values = ours(pos, z)
    assert values.shape == (5, 2)
    monkeypatch.setattr(ours.net.interaction_graph, "forward", graph)
    mask = z > 0
    want = ours.net(z[mask], pos[mask], mask.nonzero()[:, 0])
    assert torch.allclose(values, want / 20, atol=1e-9)
