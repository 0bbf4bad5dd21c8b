"""Worked examples of user-defined groups, and the errors for wrong groups."""

import math

import pytest
import torch

from molinv import Augmented, actions, groups, quadrature, testing
from molinv import distributions as D
from molinv.errors import InputError
from molinv.testing import LawBroken

POINTS, PLAIN, VECTOR = actions.Points(), actions.Invariant(), actions.Vector()


def seed(n=0):
    return torch.Generator().manual_seed(n)


def clouds(dim, n=6):
    return torch.randn(4, n, dim, generator=seed(), dtype=torch.float64)


def lorentz():
    """SO+(1, 3) on four-vectors (t, x, y, z): three rotations, three boosts by rapidity."""
    generators = torch.zeros(6, 4, 4)
    generators[:3, 1:, 1:] = groups.SO3().generators
    for i in range(3):
        generators[3 + i, 0, 1 + i] = generators[3 + i, 1 + i, 0] = 1.0
    return groups.MatrixGroup(
        generators,
        names=["wx", "wy", "wz", "bx", "by", "bz"],
        units=["rad"] * 3 + ["rapidity"] * 3,
        caps=[math.pi] * 3 + [1.0] * 3,
        closed=True,
    )


METRIC = torch.diag(torch.tensor([1.0, -1, -1, -1], dtype=torch.float64))


def test_lorentz_transformations_of_four_vectors():
    group = lorentz().double()
    testing.check_group(group)
    for action in (POINTS, VECTOR):
        testing.check_action(action, group)
    g = testing.sample(group, 50, seed())
    assert (g.mT @ METRIC @ g - METRIC).abs().max() < 1e-11
    assert (g[:, 0, 0] >= 1).all()  # time is not reversed
    assert torch.allclose(torch.linalg.det(g), torch.ones(50).double())
    boost = group.exp(torch.tensor([0.0, 0, 0, 1.0, 0, 0]).double())
    assert float(boost[0, 0]) == pytest.approx(math.cosh(1.0))
    p = clouds(4)

    def mass(p):  # the squared invariant mass of the first two particles
        total = p[:, 0] + p[:, 1]
        return torch.einsum("bi,ij,bj->b", total, METRIC, total)

    testing.check_equivariant(mass, group, POINTS, PLAIN, p, tolerance=1e-11)
    testing.check_equivariant(lambda p: p.sum(1), group, POINTS, VECTOR, p, tolerance=1e-11)
    with pytest.raises(LawBroken, match="equivariant under MatrixGroup"):
        testing.check_equivariant(lambda p: p.sum(1).square().sum(-1), group, POINTS, PLAIN, p)
    box = D.UniformBox(group).double()
    assert set(box.extent()) == {"wx", "wy", "wz", "bx", "by", "bz"}
    assert Augmented(Flat(), box)(p).shape == (1, 4)
    with pytest.raises(InputError, match="not compact"):
        box.kl_haar()
    with pytest.raises(InputError, match="Haar needs a compact"):
        group.haar(3)


class Flat(torch.nn.Module):
    def forward(self, x):
        return x.sum((1, 2))


ORDERS = {"C1": 1, "Cs": 2, "Ci": 2, "C6": 6, "C3v": 6, "C4h": 8, "S4": 4, "S6": 6, "D2": 4}
ORDERS |= {"D3h": 12, "D2d": 8, "D3d": 12, "D4h": 16, "T": 12, "Td": 24, "Th": 24, "O": 24}
ORDERS |= {"Oh": 48, "I": 60, "Ih": 120}
MIRRORED = {
    "Cs",
    "Ci",
    "C3v",
    "C4h",
    "S4",
    "S6",
    "D3h",
    "D2d",
    "D3d",
    "D4h",
    "Td",
    "Th",
    "Oh",
    "Ih",
}


@pytest.mark.parametrize("symbol", ORDERS)
def test_point_groups_have_their_orders(symbol):
    group = groups.PointGroup(symbol)
    elements = group.elements
    assert len(elements) == ORDERS[symbol]
    assert (elements @ elements.mT - torch.eye(3).double()).abs().max() < 1e-12
    det = torch.linalg.det(elements)
    assert (det < 0).sum() == (len(elements) // 2 if symbol in MIRRORED else 0)
    if len(elements) <= 24:
        testing.check_group(group)


def test_a_crystals_point_group():
    """Rock salt's octahedral environment: a square of charges feels D4h and no more."""
    group = groups.PointGroup("D4h").double()
    testing.check_action(POINTS, group)
    x = clouds(3)

    def quartic(x):  # a crystal field of that symmetry
        y = x.sum(1)
        return y[:, :2].pow(4).sum(1) + 2 * y[:, 2].square()

    testing.check_equivariant(quartic, group, POINTS, PLAIN, x)
    with pytest.raises(LawBroken, match=r"PointGroup\(Oh\)"):
        testing.check_equivariant(quartic, groups.PointGroup("Oh").double(), POINTS, PLAIN, x)
    nodes, weights = quadrature.rule(group, 1)
    assert len(nodes) == 16
    assert float(weights.sum()) == pytest.approx(1)
    # the average over the group is invariant, although the network is not
    model = Augmented(Corner(), D.Categorical(group)).double().eval()
    g = group.haar(4, seed())
    moved = POINTS.act(group, g, x)
    here, there = (model.orbit(p, orbit="haar").mean for p in (x, moved))
    assert torch.allclose(here, there)
    assert not torch.allclose(Corner()(x), Corner()(moved))


class Corner(torch.nn.Module):
    def forward(self, x):
        return (x[:, 0, 0] + 2 * x[:, 1, 1] * x[:, 0, 2]).sin()[:, None]


def test_a_point_group_from_your_own_generators():
    screw = groups.SO3().exp(torch.tensor([0.0, 0, 2 * math.pi / 3], dtype=torch.float64))
    mirror = torch.diag(torch.tensor([1.0, 1, -1]).double())
    group = groups.Finite(groups.closure([screw, mirror]))
    testing.check_group(group)
    assert len(group.elements) == 6
    with pytest.raises(InputError, match="more than 1000 products"):
        groups.closure([groups.SO3().exp(torch.tensor([0.0, 0, 1.0]))])
    with pytest.raises(InputError, match="not finite"):
        groups.closure([1e200 * torch.eye(2)])
    with pytest.raises(InputError, match=r"expected matrices \(n, d, d\)"):
        groups.closure([torch.zeros(2, 3)])
    for symbol in ("D4g", "C0", "", "X", "C", "S3"):
        with pytest.raises(InputError, match=r"Schoenflies|expected an even"):
            groups.PointGroup(symbol)


def test_rotations_about_a_slabs_normal():
    normal = torch.tensor([1.0, 1, 1]).double()  # of a (111) surface
    slab = groups.About(*normal.tolist()).double()
    own = groups.MatrixGroup(
        torch.einsum("i,ijk->jk", normal / normal.norm(), groups.SO3().double().generators)[None],
        names=["angle"],
        units=["rad"],
        caps=[math.pi],
        compact=True,
        closed=True,
    )
    for group in (slab, own):
        testing.check_group(group)
        testing.check_action(POINTS, group)
    xi = torch.linspace(-3, 3, 7).double()[:, None]
    assert (slab.exp(xi) - own.exp(xi)).abs().max() < 1e-7
    x, height = clouds(3), lambda x: (x @ normal).sin().sum(1)
    testing.check_equivariant(height, slab, POINTS, PLAIN, x, tolerance=1e-6)
    with pytest.raises(LawBroken, match="equivariant under SO3"):
        testing.check_equivariant(height, groups.SO3().double(), POINTS, PLAIN, x)
    full = D.UniformBox(slab, init=math.pi).double()  # one angle: the box at its cap is Haar
    assert float(full.kl_haar().detach()) == pytest.approx(0, abs=1e-5)
    with pytest.raises(InputError, match="length above 0"):
        groups.About(0, 0, 0)


def test_a_change_of_units_as_a_group():
    """The positive numbers under multiplication: a ratio does not depend on the unit."""
    gauge = groups.MatrixGroup([[[1.0]]], names=["log_unit"], units=["log-scale"], closed=True)
    testing.check_group(gauge)
    x = clouds(1).abs() + 0.1
    testing.check_action(POINTS, gauge)
    gauge = gauge.double()
    testing.check_equivariant(lambda x: x[:, 0] / x[:, 1], gauge, POINTS, PLAIN, x)
    testing.check_equivariant(lambda x: x.sum(1), gauge, POINTS, VECTOR, x)
    with pytest.raises(LawBroken, match="equivariant"):
        testing.check_equivariant(lambda x: x[:, 0] - x[:, 1], gauge, POINTS, PLAIN, x)


def test_errors_for_wrong_groups_are_one_sentence():
    boosts = lorentz().generators[3:]
    with pytest.raises(InputError, match="bracket of generators bx and by leaves"):
        groups.MatrixGroup(boosts, names=["bx", "by", "bz"], closed=True)
    with pytest.raises(LawBroken, match="brackets of generators stay in their span"):
        testing.check_group(groups.MatrixGroup(boosts))
    with pytest.raises(InputError, match=r"Points\(SO2\): expected pos \(b, n, 2\), got \(4, 6, 3"):
        POINTS.act(groups.SO2(), groups.SO2().identity(4), clouds(3))
    with pytest.raises(InputError, match=r"expected 4 x \(..., 4\), got \(4, 3\)"):
        VECTOR.act(lorentz(), lorentz().identity(4), torch.zeros(4, 3))
    with pytest.raises(LawBroken, match=r"exp is finite at \[1000.0"):
        testing.check_group(groups.MatrixGroup([[[1.0]]], caps=[1000.0]))
    for broken in (groups.T(3), groups.Scaling(3), lorentz(), groups.LearnedBasis(3, 3)):
        for ask in (broken.haar, lambda n, g=broken: D.Haar(g)):
            with pytest.raises(InputError, match="compact group such as") as caught:
                ask(3)
            assert "\n" not in str(caught.value)
