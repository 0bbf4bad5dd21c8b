"""Guaranteed invariance: exact up to its degree, and a certificate that holds above it."""

import pytest
import torch
from torch import nn

from molinv import actions, groups
from molinv.analysis.runs import held_out, of_run
from molinv.errors import InputError
from molinv.guaranteed import Guaranteed

SO3 = groups.SO3().double()


def seed(n=0):
    return torch.Generator().manual_seed(n)


def clouds(m=6):
    return torch.randn(m, 5, 3, generator=seed(), dtype=torch.float64)


class Polynomial(nn.Module):
    """A polynomial in the coordinates: no Wigner-D functions above `degree`."""

    def __init__(self, degree, outputs=1):
        super().__init__()
        shape = (degree, outputs, 3)
        self.along = nn.Parameter(torch.randn(shape, generator=seed(degree), dtype=torch.float64))

    def forward(self, x):
        return torch.einsum("bni,dti->dbnt", x, self.along).prod(0).sum(1)


def turned_std(model, x, vectors=False, count=400):
    """The standard deviation over Haar draws, which are independent of the rule."""
    outputs = []
    for g in SO3.haar(count, seed(5)):
        y = model(x @ g.mT).detach()
        outputs.append(y @ g if vectors else y)
    return torch.stack(outputs).std(0)


@pytest.mark.parametrize("degree", [1, 2, 3, 4, 5])
def test_no_dependence_up_to_the_degree_is_left(degree):
    net, x = Polynomial(degree), clouds()
    model = Guaranteed(net, SO3, degree=degree)
    assert turned_std(net, x).min() > 0.1
    assert turned_std(model, x, count=20).max() < 1e-12
    certificate = model.certificate(x)
    assert (certificate.bound < 1e-6 * certificate.before).all()  # the root of a rounding error
    exact = turned_std(net, x, count=4000)
    assert torch.allclose(certificate.before, exact, rtol=0.1)


def test_the_bound_holds_above_the_degree():
    net, x = nn.Sequential(Polynomial(1, 8), nn.Tanh(), Mix(8)), clouds()
    last = None
    for degree in (1, 3, 5):
        model = Guaranteed(net, SO3, degree=degree)
        before, bound, rest = model.certificate(x, reach=10)
        left = turned_std(model, x, count=60)
        assert (left <= 1.2 * bound).all()  # with a margin for the error of 60 draws
        assert (bound <= before + 1e-9).all()
        assert (rest < bound + 1e-9).all()
        assert last is None or bound.mean() < last  # a higher degree gives a smaller bound
        last = bound.mean()


class Mix(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.mix = nn.Linear(width, 1).double()

    def forward(self, h):
        return self.mix(h)


def test_a_reach_that_is_too_low_shows_in_the_rest():
    net, x = Polynomial(7), clouds()
    model = Guaranteed(net, SO3, degree=1)
    low, high = model.certificate(x, reach=2), model.certificate(x, reach=7)
    assert (low.rest > 0.3 * low.before).any()
    assert (high.rest < 1e-6 * high.before).all()  # the root of a rounding error
    assert (turned_std(model, x, count=60) <= 1.2 * high.bound).all()


def test_vectors_are_rotated_back_first():
    class Skewed(nn.Module):  # an equivariant vector plus one that always points up
        def forward(self, x):
            return x.square().sum((1, 2))[:, None] * x.mean(1) + x[:, 0, :1] * UP

    UP = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)
    x = clouds()
    model = Guaranteed(Skewed(), SO3, output=actions.Vector(), degree=2)
    assert turned_std(Skewed(), x, vectors=True).max() > 0.1
    assert turned_std(model, x, vectors=True, count=20).max() < 1e-12
    assert model.certificate(x).bound.max() < 1e-6


def test_it_trains_and_is_saved_with_its_network():
    net, x = Polynomial(2), clouds()
    model = Guaranteed(net, SO3, degree=2)
    model(x).square().mean().backward()
    assert net.along.grad.abs().max() > 0
    assert set(model.state_dict()) == {"run.model.along"}


def test_other_groups_and_wrong_settings():
    assert Guaranteed(Polynomial(2), groups.PointGroup("D4h").double())(clouds()).shape == (6, 1)
    with pytest.raises(InputError, match=r"expected a compact group .* got T\(3\)"):
        Guaranteed(Polynomial(1), groups.T(3))
    with pytest.raises(InputError, match="reach above the degree 3, got 3"):
        Guaranteed(Polynomial(1), SO3, degree=3).certificate(clouds(), reach=3)
    with pytest.raises(InputError, match="no orthonormal functions are known"):
        Guaranteed(Polynomial(1), groups.PointGroup("C3v").double()).certificate(clouds())


def test_a_trained_network_gets_its_guarantee_afterwards():
    _, config, saved = of_run("qm9")
    pos, z = held_out(config, saved, 4).batch(torch.arange(4))
    net = saved.network.model.eval()
    model = Guaranteed(net, groups.SO3(), degree=3).eval()
    before, bound, _ = model.certificate(pos.float(), z, reach=5)
    assert (bound < before).all()
    assert bound.mean() < 0.5 * before.mean()  # over molecules and targets
    generator = seed(3)
    turned = [model(pos.float() @ g.mT, z).detach() for g in groups.SO3().haar(8, generator)]
    assert (torch.stack(turned).std(0) < 1.5 * bound + 1e-5).all()
