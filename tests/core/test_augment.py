"""Augmented: training, evaluation, orbits and precision; and quadrature rules."""

import subprocess
import sys
import weakref

import pytest
import torch

from molinv import Augmented, InputError, actions, groups, quadrature
from molinv import distributions as D

X = torch.randn(6, 5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


class Cubic(torch.nn.Module):
    """A polynomial of degree 3 in the coordinates, with no symmetry."""

    def forward(self, x, *extra):
        return torch.stack([x[..., 0].sum(1) ** 3 + x[:, 0, 1], x[..., 2].square().sum(1)], -1)


class Centre(torch.nn.Module):
    def forward(self, x):
        return x.square().sum((1, 2))[:, None] * x.sum(1)


def wrapped(net, mu=None, **kw):
    return Augmented(net, (D.UniformBox(groups.SO3()) if mu is None else mu).double(), **kw)


def test_training_has_a_copies_axis_and_reaches_the_distribution():
    model = wrapped(Cubic(), copies=3)
    y = model(X)
    assert y.shape == (3, 6, 2)
    (y - 1).abs().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def test_given_noise_replaces_the_generator():
    model = wrapped(Cubic(), D.UniformBox(groups.SO3(), init=2.0), copies=3)
    generator = torch.Generator().manual_seed(5)
    noise = torch.stack([model.distribution.noise(6, generator) for _ in range(3)])
    given = model(X, noise=noise)
    assert torch.equal(given, model(X, generator=torch.Generator().manual_seed(5)))
    some = torch.tensor([4, 0, 3])  # an example keeps its element in another batch
    assert torch.allclose(model(X[some], noise=noise[:, some]), given[:, some])
    for wrong in (noise[:2], noise[:, :5], noise[0]):
        with pytest.raises(InputError, match=r"noise \(3, 6, m\)"):
            model(X, noise=wrong)
    with pytest.raises(InputError, match="training"):
        model.eval()(X, noise=noise)


def test_evaluation_is_the_same_on_every_call():
    model = wrapped(Cubic(), D.UniformBox(groups.SO3(), init=2.0)).eval()
    assert model(X).shape == (6, 2)
    assert torch.equal(model(X), model(X))


def test_a_value_does_not_depend_on_the_other_examples():
    model = wrapped(Cubic(), D.UniformBox(groups.SO3(), init=2.0)).eval()
    alone = torch.cat([model(X[i : i + 1]) for i in range(6)])
    assert torch.allclose(model(X), alone)
    drawn = [model.orbit(x, orbit="haar", copies=3).mean for x in (X, X[3:])]
    assert torch.allclose(drawn[0][3:], drawn[1])


def test_streamed_statistics_equal_those_of_all_copies():
    model = wrapped(Cubic(), D.UniformBox(groups.SO3(), init=2.0)).eval()
    found = model.orbit(X, copies=7, generator=torch.Generator().manual_seed(1))
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        every = torch.stack(
            [
                model.run(model.distribution.rsample(1, generator).expand(6, -1, -1), X)[0]
                for _ in range(7)
            ]
        )
    assert torch.allclose(found.mean, every.mean(0))
    assert torch.allclose(found.std, every.std(0))
    assert found.count == 7


def test_the_haar_orbit_of_a_polynomial_is_invariant():
    model = wrapped(Cubic()).eval()
    g = groups.SO3().double().haar(6, torch.Generator().manual_seed(2)).double()
    here = model.orbit(X, orbit="haar", degree=3).mean
    there = model.orbit(X @ g.mT, orbit="haar", degree=3).mean
    assert (here - there).abs().max() < 1e-10
    low = model.orbit(X @ g.mT, orbit="haar", degree=1).mean
    assert (low - here).abs().max() > 1e-3  # a rule of too low a degree is not exact


def test_an_equivariant_network_with_vector_output_does_not_change():
    model = wrapped(Centre(), D.UniformBox(groups.SO3(), init=3.0), output=actions.Vector()).eval()
    found = model.orbit(X, copies=4)
    assert torch.allclose(found.mean, Centre()(X))
    assert found.std.max() < 1e-10


def test_one_copy_at_a_time_is_alive():
    alive = []

    class Watch(torch.nn.Module):
        def forward(self, x):
            y = x.sum((1, 2))
            assert sum(r() is not None for r in alive) <= 2
            alive.append(weakref.ref(y))
            return y

    wrapped(Watch()).eval().orbit(X, copies=20)
    assert len(alive) == 20


def test_probabilities_are_averaged_on_request():
    mu = D.UniformBox(groups.SO3(), init=2.0)
    direct = wrapped(Cubic(), mu, reduce="log_prob").eval()
    prob = wrapped(Cubic(), mu, reduce="prob").eval()
    assert torch.allclose(direct(X).exp(), prob(X))
    assert torch.allclose(prob(X).sum(1), torch.ones(6, dtype=torch.float64))


def test_wrong_requests():
    model = wrapped(Cubic()).eval()
    for call, hint in [
        (lambda: model.orbit(X, orbit="harr"), "haar"),
        (lambda: wrapped(Cubic(), copies=0), "at least one"),
        (lambda: wrapped(Cubic(), reduce="median"), "reduce"),
        (lambda: quadrature.rule(groups.SE3(), 2), "no quadrature"),
        (lambda: quadrature.so3(500), "degree"),
    ]:
        with pytest.raises(InputError, match=hint):
            call()


@pytest.mark.parametrize("degree", [1, 2, 4, 9, 12, 13])
def test_quadrature_is_exact_up_to_its_degree(degree):
    g, w = quadrature.so3(degree)
    fine, v = quadrature.so3(2 * degree + 6)
    assert w.min() > 0
    a = torch.randn(3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(3))

    def moment(r, weights, power):
        return ((r * a).sum((1, 2)) ** power * weights).sum()

    assert moment(g, w, degree) == pytest.approx(float(moment(fine, v, degree)), rel=1e-9, abs=1e-9)
    high = 2 * degree + 4
    assert abs(moment(g, w, high) - moment(fine, v, high)) > 1e-9 * abs(moment(fine, v, high))


def test_other_rules():
    assert len(quadrature.so3(9)[0]) == 380
    for group in (groups.SO2(), groups.Cyclic(5), groups.O3()):
        g, w = quadrature.rule(group, 3)
        assert g.shape == (len(w), group.d, group.d)
        assert w.sum() == pytest.approx(1)
        assert (g * w[:, None, None]).sum(0).abs().max() < 1e-12
    g = quadrature.super_fibonacci(500)
    assert torch.allclose(torch.linalg.det(g), torch.ones(500, dtype=torch.float64))
    assert g.mean(0).abs().max() < 0.01


def test_import_loads_nothing_heavy():
    code = (
        "import sys, molinv, molinv.cli, molinv.chem, molinv.datasets; print([m for m in "
        "('lightning', 'rdkit', 'torch_geometric', 'ase', 'matplotlib') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


@pytest.mark.parametrize("training", [True, False])
def test_under_autocast_only_the_model_runs_in_reduced_precision(training):
    class Seen(torch.nn.Module):
        def forward(self, x):
            self.got = x
            return x.bfloat16()

    model = Augmented(Seen(), D.UniformBox(groups.SO3(), init=2.0), output=actions.Points())
    x = X.float()
    model.train(training)
    with torch.autocast("cpu", torch.bfloat16):
        y = model(x)
    bonds = (model.model.got[:, :, None] - model.model.got[:, None]).norm(dim=-1)
    assert torch.allclose(
        bonds, torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist"), atol=1e-5
    )
    assert y.dtype == torch.float32
    assert torch.allclose(y.squeeze(0), x, atol=0.02)  # the model's output is rounded
