"""A hidden feature averaged over a group: exact invariance, for trained and untrained networks."""

import pytest
import torch
from torch import nn

from molinv import groups, models
from molinv.datasets.batches import Batch
from molinv.errors import InputError
from molinv.guaranteed import Guaranteed, Integrated

SO3 = groups.SO3().double()


def clouds(m=6):
    return torch.randn(m, 5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


class Net(nn.Module):
    """Features that depend on the orientation, and a readout with a hidden layer."""

    def __init__(self, read=None):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.first = nn.Sequential(nn.Flatten(), nn.Linear(15, 16), nn.Tanh())
            self.read = read or nn.Sequential(nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 2))
        self.double()

    def forward(self, x):
        return self.read(self.first(x))


class Squares(nn.Module):
    """Polynomials of degree 2, and a readout that is not one."""

    def __init__(self):
        super().__init__()
        self.read = nn.Tanh()

    def forward(self, x):
        return self.read((x.mT @ x).flatten(1) + x.sum(1)[:, [0, 1, 2] * 3])


@torch.no_grad()
def farthest(model, x, elements):
    """The largest change of the output over elements of a group."""
    here = model(x)
    return max(float((model(x @ g.mT) - here).abs().max()) for g in elements)


@pytest.mark.parametrize("symbol", ["C3", "D4h", "T", "I"])
def test_the_output_is_exactly_invariant_under_the_subgroup_only(symbol):
    net, x, group = Net(), clouds(), groups.PointGroup(symbol).double()
    model = Integrated(net, "read", group)
    assert farthest(net, x, group.elements) > 0.1
    assert farthest(model, x, group.elements) < 1e-12
    assert farthest(model, x, SO3.haar(4, torch.Generator().manual_seed(1))) > 1e-4
    assert farthest(Net(), x, group.elements) > 0.1  # the hooks are gone again
    assert torch.equal(net(x), Net()(x))


def test_a_nonlinear_readout_differs_from_the_average_of_outputs():
    x, group = clouds(), groups.PointGroup("D3").double()
    pair = [
        [kind(x) for kind in (Integrated(net, "read", group), Guaranteed(net, group))]
        for net in (Net(), Net(nn.Linear(16, 2)))
    ]
    assert not torch.allclose(*pair[0], atol=1e-3)
    assert torch.allclose(*pair[1], atol=1e-12)


def test_a_network_stays_invariant_in_training():
    net, x, group = Net(), clouds(), groups.PointGroup("C4").double()
    model = Integrated(net, "read", group)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses = []
    for _ in range(11):
        optimizer.zero_grad()
        loss = (model(x) - 1).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    assert farthest(model, x, group.elements) < 1e-12
    assert len(model.state_dict()) == len(net.state_dict())


@pytest.mark.parametrize("name", ["point", "graph"])
def test_networks_of_molinv_are_integrated_at_their_readout(name):
    small = {"width": 32, "layers": 1} | ({"geometry": "displacement"} if name == "point" else {})
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = models.make(name, 1, small).double().eval()
    pos, z = clouds(3), torch.tensor([[6, 1, 1, 8, 1], [6, 1, 8, 0, 0], [7, 1, 1, 1, 0]])
    group = groups.PointGroup("D2").double()
    pos = pos * (z > 0)[..., None]
    first, *extra = net.inputs(Batch(pos, z, torch.zeros(3, 1), torch.arange(3)))
    model = Integrated(net, "read", group, net.action)
    with torch.no_grad():
        here, alone = model(first, *extra), net(first, *extra)
        for g in group.elements[1:]:
            moved = net.action.act(group, g.expand(3, 3, 3), first)
            assert torch.allclose(model(moved, *extra), here, atol=1e-10)
            assert not torch.allclose(net(moved, *extra), alone, atol=1e-6)


def test_all_rotations_up_to_the_degree_of_the_feature():
    net, x = Squares(), clouds()
    model = Integrated(net, "read", SO3, degree=2)
    certificate = model.features.certificate(x)
    assert float(certificate.before.max()) > 0.1
    assert float(certificate.bound.max()) < 1e-6
    assert farthest(model, x, SO3.haar(5, torch.Generator().manual_seed(1))) < 1e-12
    low = Integrated(net, "read", SO3, degree=1)
    assert (low.features.certificate(x).bound.amax(1) > 1e-2).all()
    whole = Guaranteed(model, SO3, degree=1).certificate(x)  # of the outputs
    assert float(whole.before.max()) < 1e-6 < float(Guaranteed(low, SO3).certificate(x)[0].max())


def test_wrong_layers():
    x, group = clouds(), groups.PointGroup("C2").double()
    with pytest.raises(InputError, match="did you mean 'read'"):
        Integrated(Net(), "reed", group)
    net = Net()
    twice = nn.Sequential(net, nn.Flatten(), nn.Linear(2, 16).double(), net.read)
    with pytest.raises(InputError, match="called once with one tensor, got 2 calls"):
        Integrated(twice, "0.read", group)(x)
