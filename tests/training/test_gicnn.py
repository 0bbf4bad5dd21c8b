"""Generalised input-convex networks: convexity, the invertible map, charts and walks."""

from functools import cache

import pytest
import torch

from molinv import InputError
from molinv.models.gicnn import GICNN
from molinv.models.input_convex import Couplings, InputConvex

DTYPES = (torch.float32, torch.float64)
ROUNDING = {torch.float32: 2e-4, torch.float64: 1e-10}


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def shaken(module, seed=3, by=0.2):
    """Random parameters, so that the map is not the identity."""
    for parameter in module.parameters():
        parameter.data += by * torch.randn(parameter.shape, generator=draws(seed))
    return module


def network(d=4, dtype=torch.float64, **settings):
    return shaken(GICNN(d, width=16, generator=draws(), **settings)).to(dtype)


def banana(x):
    """Its level sets are not convex; the minimum is 0, at (0, -1)."""
    return x[:, 0].square() / 4 + (x[:, 1] - x[:, 0].square() + 1).square()


@cache
def fitted(couplings: int) -> tuple[GICNN, float]:
    """A network fitted to the banana, and its held-out mean absolute error."""
    x = torch.rand(3000, 2, generator=draws(1)) * torch.tensor([4.0, 5.0]) - 2
    y = banana(x)
    net = GICNN(2, width=32, couplings=couplings, generator=draws())
    net.standardize(x, y)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-2, weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=1000)
    for step in range(1000):
        chosen = torch.randint(2500, (256,), generator=draws(step))
        loss = (net(x[chosen]) - y[chosen]).abs().mean() / net.unit
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    net = net.double()
    with torch.no_grad():
        error = float((net(x[2500:].double()) - y[2500:]).abs().mean())
    return net, error


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("seed", range(3))
def test_the_network_is_strongly_convex_along_segments(layers, seed):
    c = shaken(InputConvex(5, 16, layers, draws()), seed, 1.0).double()
    a, b = (3 * torch.randn(200, 5, generator=draws(s)).double() for s in (10, 11))
    t = torch.rand(200, generator=draws(12)).double()
    between = c(a + t[:, None] * (b - a))
    least = c.modulus() / 2 * t * (1 - t) * (b - a).square().sum(-1)
    assert (between <= (1 - t) * c(a) + t * c(b) - least + 1e-10).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("d", [2, 3, 6, 7])
def test_the_map_is_inverted_to_rounding(d, dtype):
    start = Couplings(d, 16, 4, draws()).to(dtype)
    x = torch.randn(100, d, generator=draws(1)).to(dtype)
    assert torch.equal(start(x), x)
    moved = shaken(start)
    assert ((moved(x) - x).abs().amax(0) > 0.01).all()
    for there, back in ((moved, moved.inverse), (moved.inverse, moved)):
        assert (back(there(x)) - x).abs().max() < ROUNDING[dtype]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("d", [2, 5])
def test_a_chart_round_trip_gives_the_points_back(d, dtype):
    net = network(d, dtype)
    x = 2 * torch.randn(200, d, generator=draws(1)).to(dtype)
    net.standardize(x, net(x).detach())
    with torch.no_grad():
        direction, value = net.to_chart(x)
        assert torch.allclose(direction.norm(dim=-1), torch.ones(200, dtype=dtype))
        assert torch.equal(value, net(x))
        back = net.from_chart(3 * direction, value)  # a direction may have any length
        assert (back - x).abs().max() < 10 * ROUNDING[dtype]
        far = net.from_chart(direction, value + 1000 * net.unit)
        assert torch.allclose(net(far), value + 1000 * net.unit, rtol=10 * ROUNDING[dtype])


def test_the_minimum_is_the_lowest_point_and_has_a_direction():
    net = network()
    x, value = net.minimum()
    x = x.detach().requires_grad_()
    (slope,) = torch.autograd.grad(net(x[None]).sum(), x)
    assert slope.abs().max() < 1e-10
    near = x + 0.1 * torch.randn(500, 4, generator=draws(1)).double()
    assert (net(near) > value).all()
    direction, level = net.to_chart(x.detach()[None])
    assert float(direction.detach().norm()) == pytest.approx(1)
    assert torch.allclose(net.from_chart(direction, level)[0], x, atol=1e-6)


def test_level_sets_that_are_not_convex_are_fitted():
    net, error = fitted(4)
    assert error < 0.02 * float(net.unit)
    _, convex = fitted(0)
    assert convex > 10 * error  # an input-convex network cannot
    angles = torch.linspace(0, 6.2, 60).double()
    around = torch.stack([angles.cos(), angles.sin()], -1)
    with torch.no_grad():
        on_level = net.from_chart(around, torch.ones(60).double())
    assert (banana(on_level) - 1).abs().mean() < 0.1
    assert on_level[:, 0].min() < -1.5  # both arms are reached
    assert on_level[:, 0].max() > 1.5
    assert torch.allclose(net.minimum()[0].detach(), torch.tensor([0, -1.0]).double(), atol=0.2)


def test_the_fitted_map_is_well_conditioned():
    net, _ = fitted(4)
    x = torch.rand(100, 2, generator=draws(1)).double() * 4 - 2
    x = (x - net.center) / net.scale
    jacobian = torch.func.vmap(torch.func.jacrev(lambda row: net.map(row[None])[0]))(x)
    singular = torch.linalg.svdvals(jacobian)
    assert (singular[:, 0] / singular[:, -1]).max() < 100


@pytest.mark.parametrize("n", [2, 50])
def test_a_walk_holds_the_property(n):
    net, _ = fitted(4)
    a, b = torch.tensor([[-1.8, 2.24], [1.8, 2.24]]).double()
    with torch.no_grad():
        (_, v), (level, _) = net.to_chart(torch.stack([a, b]))
        (b,) = net.from_chart(v[None], level[None])
        path = net.walk(a, b, n)
        assert path.shape == (n, 2)
        assert torch.allclose(path[[0, -1]], torch.stack([a, b]), atol=1e-8)
        assert (net(path) - level).abs().max() < 1e-6
        middle = torch.stack([a, b]).mean(0, keepdim=True)
        assert (net(middle) - level).abs() > 1


def test_a_walk_between_opposite_directions_and_between_equal_points():
    net = network()
    direction = torch.eye(4).double()[:1]
    ends = net.from_chart(torch.cat([direction, -direction]), torch.full((2,), 9.0).double())
    path = net.walk(*ends.detach(), n=20)
    assert (net(path) - 9).abs().max() < 1e-6
    turns = net.to_chart(path).direction
    assert torch.allclose(
        (turns[1:] * turns[:-1]).sum(-1), torch.tensor(torch.pi / 19).cos().double()
    )
    same = net.walk(ends[0], ends[0], n=3)
    assert torch.allclose(same, ends[:1].expand(3, 4), atol=1e-8)


def test_a_walk_between_values_is_linear_in_the_value():
    net = network()
    ends = torch.randn(2, 4, generator=draws(1)).double()
    first, last = net(ends).tolist()
    path = net.walk(*ends, n=11, tolerance=abs(last - first) + 1e-9)
    assert torch.allclose(net(path), torch.linspace(first, last, 11).double(), atol=1e-9)


def test_gradients_reach_every_parameter():
    net = network()
    net(torch.randn(8, 4, generator=draws(1)).double()).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())
    assert all((p.grad != 0).any() for p in net.parameters() if p.grad is not None)


def test_gradients_of_a_chart_are_those_of_finite_differences():
    net = network(3)
    direction = torch.randn(2, 3, generator=draws(1)).double().requires_grad_()
    value = torch.tensor([7.0, 9.0]).double().requires_grad_()
    assert torch.autograd.gradcheck(net.from_chart, (direction, value))
    (gradient,) = torch.autograd.grad(
        net.from_chart(direction, value).sum(), net.convex.raw_modulus
    )
    sums = []
    for step in (1e-5, -2e-5):
        net.convex.raw_modulus.data += step
        sums.append(float(net.from_chart(direction, value).sum().detach()))
    assert float(gradient) == pytest.approx((sums[0] - sums[1]) / 2e-5, rel=1e-4)


def test_bad_inputs_are_reported_in_one_sentence():
    net, x = network(), torch.randn(2, 4).double()
    level = float(net.minimum()[1].detach())
    with pytest.raises(InputError, match="no point has the property"):
        net.from_chart(x, torch.full((2,), level - 0.01).double())
    with pytest.raises(InputError, match="no point has the property nan"):
        net.from_chart(x, torch.full((2,), float("nan")).double())
    with pytest.raises(InputError, match="differ by more than 1e-06"):
        net.walk(x[0], x[1] + 1, 5)
    with pytest.raises(InputError, match=r"n of at least 2, got .* n=1"):
        net.walk(x[0], x[0], 1)
    with pytest.raises(InputError, match=r"two points \(4,\) .* got \(3,\)"):
        net.walk(x[0, :3], x[1], 5)
    with pytest.raises(InputError, match=r"points \(b, 4\), got \(2, 3\)"):
        net(x[:, :3])
    with pytest.raises(InputError, match="length above 0"):
        net.from_chart(0 * x, torch.ones(2).double())
    with pytest.raises(InputError, match="that vary"):
        net.standardize(x, torch.ones(2).double())
    with pytest.raises(InputError, match="length above 0"):
        net.from_chart(1e200 * x, torch.zeros(2).double())
    with pytest.raises(InputError, match="floating point that vary"):
        net.standardize(torch.arange(20).view(5, 4), torch.arange(5))
    for wrong in ({"width": 0}, {"layers": -1}, {"couplings": -1}):
        with pytest.raises(InputError, match="width and layers of at least 1"):
            GICNN(2, **wrong)
    with pytest.raises(InputError, match="got d=1"):
        GICNN(1)
