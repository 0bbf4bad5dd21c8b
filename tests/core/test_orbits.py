"""Augmented in evaluation: exact averages, statistics, and constant memory."""

import math
import weakref

import pytest
import torch
from torch_geometric.data import Batch, Data

from molinv import Augmented, InputError, actions, groups
from molinv import distributions as D


def seed(n=0):
    return torch.Generator().manual_seed(n)


X = torch.randn(6, 5, 3, dtype=torch.float64, generator=seed())


class Polynomial(torch.nn.Module):
    """A polynomial in the coordinates, with a parameter and without any symmetry."""

    def __init__(self, degree):
        super().__init__()
        self.degree = degree
        weight = torch.randn(degree, 5, 3, 2, dtype=torch.float64, generator=seed(degree))
        self.weight = torch.nn.Parameter(weight)

    def forward(self, x):
        return torch.einsum("bni,lnic->lbc", x, self.weight).prod(0) + x[:, 0, :2]


class Recorder(torch.nn.Module):
    """Remembers what it was called with."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def forward(self, x, *extra):
        self.calls.append((x, extra))
        return x.square().sum((1, 2))[:, None] * torch.ones(2, dtype=x.dtype)


def so3(kind=D.UniformBox, **kw):
    return kind(groups.SO3(), **kw).double()


@pytest.mark.parametrize("kind", [D.UniformBox, D.HaarBall, D.Gaussian])
def test_the_loss_over_copies_reaches_network_and_distribution(kind):
    model = Augmented(Polynomial(2), so3(kind, init=0.3), copies=4)
    y = model(X, generator=seed())
    assert y.shape == (4, 6, 2)
    assert not torch.allclose(y[0], y[1])  # each copy has its own elements
    target = torch.zeros(6, 2).double()
    (y - target.expand(4, -1, -1)).abs().mean().backward()
    reached = {n: p.grad.abs().sum() > 0 for n, p in model.named_parameters() if p.grad is not None}
    assert reached["model.weight"]
    assert any(v for n, v in reached.items() if n.startswith("distribution"))
    assert torch.equal(y, model(X, generator=seed()))


def test_each_example_of_a_batch_has_its_own_element():
    net = Recorder()
    Augmented(net, so3(init=2.0))(X[:1].expand(6, -1, -1))
    moved = net.calls[0][0]
    assert (moved[1:] - moved[:1]).abs().amax((1, 2)).min() > 1e-3


def test_one_copy_keeps_its_axis_and_a_frozen_distribution_has_nothing_to_learn():
    model = Augmented(Polynomial(1), so3(learn=False))
    assert model(X).shape == (1, 6, 2)
    assert [n for n, p in model.named_parameters() if p.requires_grad] == ["model.weight"]
    assert not list(Augmented(Polynomial(1), D.Haar(groups.SO3())).distribution.parameters())


@pytest.mark.parametrize("degree", [1, 2, 4, 7])
def test_the_haar_average_of_a_polynomial_is_invariant(degree):
    model = Augmented(Polynomial(degree), so3()).eval()
    g = groups.SO3().double().haar(6, seed(2))
    here = model.orbit(X, orbit="haar", degree=degree)
    there = model.orbit(X @ g.mT, orbit="haar", degree=degree)
    size = here.std.max()
    assert (here.mean - there.mean).abs().max() / size < 1e-10
    more = model.orbit(X, orbit="haar", degree=degree + 4)
    assert (here.mean - more.mean).abs().max() / size < 1e-10
    # the mean square has twice the degree
    exact = model.orbit(X, orbit="haar", degree=2 * degree)
    assert torch.allclose(exact.std, model.orbit(X, orbit="haar", degree=2 * degree + 3).std)
    if degree > 1:
        low = model.orbit(X, orbit="haar", degree=degree - 1).mean
        assert (low - here.mean).abs().max() / size > 1e-6


def test_o3_averages_over_inversions_too():
    odd = Polynomial(3)
    model = Augmented(odd, D.UniformBox(groups.O3()).double()).eval()
    found = model.orbit(X, orbit="haar", degree=3)
    assert found.mean.abs().max() < 1e-10 * found.std.max()
    assert Augmented(odd, so3()).eval().orbit(X, orbit="haar", degree=3).mean.abs().max() > 1e-3


def test_a_finite_groups_orbit_is_the_sum_over_its_elements():
    group = groups.Cyclic(5, 3).double()
    model = Augmented(Polynomial(3), D.Haar(group)).eval()
    found = model.orbit(X, orbit="haar")
    with torch.no_grad():
        every = torch.stack([model.model(X @ g.mT) for g in group.elements])
    assert found.count == 5
    assert torch.allclose(found.mean, every.mean(0))
    assert torch.allclose(found.std, every.std(0, correction=0))


def test_identity_is_the_bare_network():
    model = Augmented(Polynomial(3), so3(init=2.0)).eval()
    found = model.orbit(X, orbit="identity")
    assert found.count == 1
    assert torch.equal(found.mean, model.model(X).detach())
    assert (found.std == 0).all()


@pytest.mark.parametrize("orbit", ["learned", "haar"])
@pytest.mark.parametrize("copies", [1, 2, 9])
def test_statistics_of_drawn_elements_equal_those_of_all_copies_stacked(orbit, copies):
    model = Augmented(Polynomial(3), so3(init=2.0)).eval()
    found = model.orbit(X, orbit=orbit, copies=copies, generator=seed(1))
    generator, mu = seed(1), model.distribution
    draw = mu.rsample if orbit == "learned" else mu.group.haar
    with torch.no_grad():
        every = torch.stack([model.model(X @ draw(1, generator).mT) for _ in range(copies)])
    assert found.count == copies
    assert torch.allclose(found.mean, every.mean(0), rtol=1e-12)
    if copies > 1:
        assert torch.allclose(found.std, every.std(0), rtol=1e-10)
    else:
        assert (found.std == 0).all()


def test_a_large_offset_does_not_change_the_deviation():
    class Offset(Polynomial):
        def forward(self, x):
            return super().forward(x) + 1e8

    plain = Augmented(Polynomial(1), so3(init=2.0)).eval().orbit(X, copies=50)
    moved = Augmented(Offset(1), so3(init=2.0)).eval().orbit(X, copies=50)
    assert torch.allclose(plain.std, moved.std, rtol=1e-6)


def test_an_equivariant_vector_does_not_change_on_any_orbit():
    def net(x):
        return x.square().sum((1, 2))[:, None] * x.sum(1)

    class Net(torch.nn.Module):
        def forward(self, x):
            return net(x)

    model = Augmented(Net(), so3(init=2.5), output=actions.Vector()).eval()
    for kw in ({"orbit": "learned"}, {"orbit": "haar"}, {"orbit": "haar", "copies": 3}):
        found = model.orbit(X, **kw)
        assert torch.allclose(found.mean, net(X), rtol=1e-12)
        assert found.std.max() < 1e-11 * net(X).abs().max()
    # without pull_back it does change
    wrong = Augmented(Net(), so3(init=2.5), output=actions.Invariant()).eval()
    assert wrong.orbit(X).std.max() > 0.1


def test_the_haar_average_of_any_vector_network_is_equivariant():
    class Net(torch.nn.Module):
        def forward(self, x):
            return x[:, 0] * x[:, 1, :1] + x[:, 2].square()

    model = Augmented(Net(), so3(), output=actions.Vector()).eval()
    g = groups.SO3().double().haar(6, seed(2))
    here = model.orbit(X, orbit="haar", degree=3).mean
    there = model.orbit(X @ g.mT, orbit="haar", degree=3).mean
    assert torch.allclose(there, (g @ here[..., None])[..., 0], atol=1e-12)


def test_graphs_and_forces_per_node():
    class Net(torch.nn.Module):
        def forward(self, data):
            return data.pos * data.z[:, None]

    parts = [Data(pos=X[i, : 2 + i % 3], z=torch.ones(2 + i % 3)) for i in range(6)]
    batch = Batch.from_data_list(parts)  # pyright: ignore[reportArgumentType]
    before = batch.pos.clone()
    model = Augmented(Net(), so3(init=2.0), actions.Graph(), actions.Vector(), copies=3)
    assert model(batch).shape == (3, len(batch.pos), 3)
    found = model.eval().orbit(batch)
    assert torch.allclose(found.mean, before)
    assert found.std.max() < 1e-12
    assert torch.equal(batch.pos, before)
    single = model.orbit(parts[0])
    assert torch.allclose(single.mean, parts[0].pos)


def test_evaluation_repeats_itself_and_does_not_touch_the_global_state():
    model = Augmented(Polynomial(3), so3(init=2.0), copies=3).eval()
    state = torch.get_rng_state()
    first = model(X)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first, model(X))
    assert torch.equal(first, model.orbit(X, copies=8).mean)  # 8, or its own copies if more
    assert not torch.equal(first, model(X, generator=seed(7)))
    assert torch.equal(model(X, generator=seed(7)), model(X, generator=seed(7)))
    assert not first.requires_grad
    assert Augmented(Polynomial(1), so3(), copies=11).eval().orbit(X).count == 11


def test_extra_arguments_and_the_input_are_not_changed():
    net = Recorder()
    model = Augmented(net, so3(init=2.0), copies=2)
    z, mask, before = torch.arange(5), object(), X.clone()
    model(X, z, mask)
    model.eval().orbit(X, z, mask, copies=3)
    assert len(net.calls) == 5
    assert all(extra[0] is z and extra[1] is mask for _, extra in net.calls)
    assert torch.equal(X, before)


@pytest.mark.parametrize("orbit", ["learned", "haar"])
def test_memory_does_not_grow_with_the_copies(orbit):
    inputs, outputs = [], []

    class Watch(torch.nn.Module):
        def forward(self, x):
            alive = sum(r() is not None for r in outputs), sum(r() is not None for r in inputs)
            assert max(alive) <= 1  # at most one earlier copy
            y = x.square()
            inputs.append(weakref.ref(x))
            outputs.append(weakref.ref(y))
            return y

    Augmented(Watch(), so3(init=2.0)).eval().orbit(X, orbit=orbit, copies=30)
    assert len(outputs) == 30


@pytest.mark.parametrize("reduce", ["mean", "prob", "log_prob"])
def test_reductions_equal_a_direct_calculation(reduce):
    mu = so3(init=2.0)
    model = Augmented(Polynomial(2), mu, reduce=reduce).eval()
    found = model.orbit(X, copies=5, generator=seed(1))
    generator = seed(1)
    with torch.no_grad():
        every = torch.stack([model.model(X @ mu.rsample(1, generator).mT) for _ in range(5)])
    every = every if reduce == "mean" else every.softmax(-1)
    mean = every.mean(0).log() if reduce == "log_prob" else every.mean(0)
    assert torch.allclose(found.mean, mean)
    # the deviation of a logarithm, to first order: the probability's, relative to its mean
    scale = every.mean(0) if reduce == "log_prob" else 1.0
    assert torch.allclose(found.std, every.std(0) / scale)


def test_probabilities_are_along_the_class_axis_of_a_map_too():
    class Map(torch.nn.Module):
        def forward(self, x):
            return x.mT[:, :, :, None].expand(-1, -1, -1, 4)  # (b, classes, h, w)

    found = Augmented(Map(), so3(), reduce="prob").eval().orbit(X)
    assert torch.allclose(found.mean.sum(1), torch.ones(6, 5, 4).double())


def test_weighted_outputs_are_averaged_by_their_weights():
    class Half(actions.Invariant):
        """Counts only entries that are positive after the turn."""

        def pull_back(self, group, g, y, context):
            return y, (y > 0).to(y)

    mu = so3(init=2.0)
    model = Augmented(Polynomial(1), mu, output=Half())
    value, weight = model(X, generator=seed(1))
    assert value.shape == weight.shape == (1, 6, 2)
    found = model.eval().orbit(X, copies=20, generator=seed(1))
    generator = seed(1)
    with torch.no_grad():
        every = torch.stack([model.model(X @ mu.rsample(1, generator).mT) for _ in range(20)])
    inside = (every > 0).double()
    mean = (every * inside).sum(0) / inside.sum(0).clamp_min(1)
    assert torch.allclose(found.mean, mean)
    assert found.std.isfinite().all()
    assert (found.mean[inside.sum(0) == 0] == 0).all()
    assert found.weight is not None
    assert torch.allclose(found.weight, inside.mean(0))
    assert ((found.weight == 0) == (inside.sum(0) == 0)).all()
    assert Augmented(Polynomial(1), mu).eval().orbit(X).weight is None


def test_invalid_arguments_raise_an_input_error():
    model = Augmented(Polynomial(1), so3()).eval()
    rigid = Augmented(Polynomial(1), D.UniformBox(groups.SE3()).double()).eval()
    for call, hint in [
        (lambda: model.orbit(X, orbit="lerned"), "did you mean 'learned'"),
        (lambda: Augmented(Polynomial(1), so3(), reduce="logprob"), "did you mean 'log_prob'"),
        (lambda: Augmented(Polynomial(1), so3(), copies=0), "at least one copy, got 0"),
        (lambda: model.orbit(X, copies=0), "at least one copy, got 0"),
        (lambda: model.orbit(X, copies=-2), "at least one copy, got -2"),
        (lambda: model.orbit(X, orbit="haar", copies=0), "at least one copy, got 0"),
        (lambda: model.orbit(X, orbit="haar", degree=-1), "degree from 0"),
        (lambda: rigid.orbit(X, orbit="haar"), "no quadrature is known"),
        (lambda: rigid.orbit(X, orbit="haar", copies=2), "Haar needs a compact"),
        (lambda: model(X[..., :2]), r"expected pos \(b, n, 3\)"),
    ]:
        with pytest.raises(InputError, match=hint):
            call()


def test_a_double_input_on_a_single_precision_group_and_the_reverse():
    single = Augmented(Polynomial(1), D.UniformBox(groups.SO3(), init=1.0)).eval()
    assert single(X).dtype == torch.float64
    assert math.isclose(float(single(X).sum()), float(single.double()(X).sum()), rel_tol=1e-4)
    net = Recorder()
    Augmented(net, so3(init=1.0)).eval()(X.float())
    assert net.calls[0][0].dtype == torch.float32
