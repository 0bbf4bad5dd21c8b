"""Peaks: probabilities, weights, gradients, merging, and the groups that training finds."""

import copy
import math

import pytest
import torch

from molinv import Augmented, fit, groups
from molinv import distributions as D
from molinv.errors import InputError
from molinv.groups.merging import distance
from molinv.training.settling import refine, settle

SO3 = groups.SO3


def seed(n=0):
    return torch.Generator().manual_seed(n)


def off_the_start(count=12, **settings):
    mu = D.Peaks(SO3(), count=count, **settings).double()
    with torch.no_grad():
        for p in mu.parameters():
            p.add_(0.5 * torch.randn(p.shape, generator=seed(1)).double())
    return mu


def loss_of(g):
    """A loss that is neither linear nor even in g."""
    weight = torch.randn(3, 3, generator=seed(9)).double()
    return ((g * weight).sum((-1, -2)) * 1.5).sin().exp()


def test_places_start_evenly_spread_and_the_identity_is_there():
    mu = D.Peaks(SO3()).double()
    g, p = mu.support()
    assert torch.equal(g[0], torch.eye(3).double())
    assert float(p[0].detach()) == pytest.approx(0.8)
    assert torch.allclose(p[1:], p[1].expand(256))
    far = distance(SO3().haar(500, seed()).double()[:, None], g[1:].detach()).amin(1)
    assert far.max() < 0.65


def test_rotations_are_drawn_with_their_probabilities():
    mu = off_the_start()
    g, p = (x.detach() for x in mu.support())
    n = 20_000
    drawn = mu.rsample(n, seed()).detach()
    counts = (drawn[:, None] - g).abs().amax((-1, -2)).lt(1e-9).sum(0)
    assert counts.sum() == n
    assert ((counts / n - p).abs() <= 5 * (p * (1 - p) / n).sqrt()).all()


def test_weighted_rotations_have_the_value_and_the_gradient_of_the_exact_sum():
    mu = off_the_start()
    elements, p = mu.support()
    exact = (p * loss_of(elements)).sum()
    slopes = torch.autograd.grad(exact, list(mu.parameters()))
    values, found = [], []
    for i in range(200):
        g, weight = mu.weighted(mu.noise(512, seed(i)))
        assert g.shape == (2, 512, 3, 3)
        assert torch.allclose(weight.sum(0), torch.ones(512).double())
        mean = (weight * loss_of(g)).sum(0).mean()
        values.append(mean.detach())
        found.append(torch.autograd.grad(mean, list(mu.parameters())))
    for want, samples in zip((exact, *slopes), (values, *zip(*found, strict=True)), strict=True):
        samples = torch.stack(list(samples))
        error = samples.std(0) / math.sqrt(len(samples))
        assert ((samples.mean(0) - want.detach()).abs() <= 5 * error + 1e-12).all()
    assert all((slope != 0).any() for slope in slopes)
    g, weight = mu.weighted(mu.noise(4, seed()), most=13)
    assert g.shape == (13, 4, 3, 3)
    assert torch.allclose(weight[:, 0], p)


def test_the_natural_gradient_of_an_unlikely_rotation_does_not_vanish():
    mu = off_the_start()
    with torch.no_grad():
        mu._among[0] = mu._among[0] - 8
        p, share = mu.probabilities(), mu.shares()
    value = (mu.probabilities() * torch.arange(13.0).double()).sum()
    (slope,) = torch.autograd.grad(value, mu._among)
    mean = (share * torch.arange(1.0, 13).double()).sum()
    q = 1 - p[0]
    assert torch.allclose(slope, q * (torch.arange(1.0, 13).double() - mean) / 12)


def test_the_objective_is_least_at_the_gibbs_distribution():
    mu, lam = off_the_start(cap=0.9), 0.3
    optimizer = torch.optim.Adam([mu._among, mu._moved.raw], 0.05)
    loss = loss_of(mu.support()[0]).detach()
    for _ in range(1500):
        optimizer.zero_grad()
        ((mu.probabilities() * loss).sum() - lam * mu.regularizer()).backward()
        optimizer.step()
    gibbs = (-loss[1:] / lam).softmax(0)
    assert torch.allclose(mu.shares(), gibbs, atol=0.01)


def test_settling_gives_the_gibbs_distribution_of_measured_losses():
    mu, lam = off_the_start(cap=0.99), 0.3
    losses = loss_of(mu.support()[0]).detach()
    mu.settle(losses, lam)
    assert torch.allclose(mu.probabilities(), (-losses / lam).softmax(0), atol=1e-6)
    low = off_the_start(cap=0.5)
    low.settle(torch.zeros(13), 0.1)
    assert float(low.extent()["moved"].value.detach()) == pytest.approx(0.5, abs=1e-4)
    for wrong in (torch.zeros(12), torch.full((13,), torch.nan)):
        with pytest.raises(InputError, match="expected 13 finite losses"):
            low.settle(wrong, 0.1)
    with pytest.raises(InputError, match="lam above 0"):
        low.settle(torch.zeros(13), 0.0)


def test_probabilities_are_settled_on_examples():
    class Height(torch.nn.Module):
        def forward(self, x):
            return x[..., 2].sum(1)

    model = Augmented(Height(), D.Peaks(SO3(), count=6))
    mu = model.distribution
    assert isinstance(mu, D.Peaks)
    x = torch.randn(500, 2, 3, generator=seed())
    y = model.model(x)
    losses = settle(model, lambda out: (out - y).abs(), x, lam=0.1)
    assert float(losses[0]) == 0
    tilt = mu.support()[0][:, 2].detach() - torch.eye(3)[2]
    # z^T g x - z^T x is normal with standard deviation |g^T z - z| sqrt 2
    assert torch.allclose(losses, tilt.norm(dim=1) * 2 / math.pi**0.5, rtol=0.15, atol=1e-6)
    assert torch.allclose(mu.shares(), (-losses[1:] / 0.1).softmax(0), atol=1e-5)
    with pytest.raises(InputError, match="expected a model with Peaks, got HaarBall"):
        settle(Augmented(Height(), D.HaarBall(SO3())), lambda out: out, x)


def test_chosen_rotations_are_refined_to_the_nearest_symmetry():
    class Fourth(torch.nn.Module):
        def forward(self, x):
            a, b, c = x.unbind(-1)
            return (a**4 + b**4 + 2 * c + 5 * c**2).sum(1)

    model = Augmented(Fourth(), D.Peaks(SO3(), count=4))
    mu = model.distribution
    assert isinstance(mu, D.Peaks)
    near = torch.tensor([[0.2, 0.1, 1.4], [0.1, 0, 3.0], [0, 0.1, -1.8], [0.3, 0.2, 0.8]])
    with torch.no_grad():
        mu.places.copy_(near)
    x = torch.randn(300, 1, 3, generator=seed())
    x = x / x.norm(dim=-1, keepdim=True)
    y = model.model(x)
    refine(model, torch.tensor([0, 1, 2]), lambda out: (out - y).abs(), x)
    found = mu.places.detach()
    quarters = torch.tensor([1.0, 2, -1])[:, None] * torch.tensor([0, 0, math.pi / 2])
    assert distance(SO3().exp(found[:3]), SO3().exp(quarters)).max() < 0.05
    assert torch.equal(found[3], near[3])


def test_likely_rotations_are_merged():
    mu = D.Peaks(SO3(), count=5).double()
    z = torch.tensor([0.0, 0, 1]).double()
    with torch.no_grad():
        mu._places.copy_(torch.tensor([2.09, 2.11, -2.1, 1.0, 0.02]).double()[:, None] * z)
        mu._among.copy_(torch.tensor([0.0, 0, 0, -9, 0]).double())
    g, p = mu.peaks()
    assert len(g) == 3
    assert float(p.sum()) == pytest.approx(1, abs=1e-4)
    angles = SO3().log(g)[:, 2].sort().values
    assert torch.allclose(angles, torch.tensor([-2.1, 0.001, 2.1]).double(), atol=2e-3)
    assert str(mu.named()) == "C3 about (0.00, 0.00, 1.00)"


def turned(angles, among, axis=(0.0, 0.6, 0.8)):
    """Peaks at turns about an axis, in degrees, with these log-probabilities."""
    mu = D.Peaks(SO3(), count=len(angles)).double()
    with torch.no_grad():
        turns = torch.tensor(angles).double().deg2rad()
        mu._places.copy_(turns[:, None] * torch.tensor(axis).double())
        mu._among.copy_(torch.tensor(among).double())
    return mu


@pytest.mark.parametrize("angles", [[87, 182, 268, 130, 50], [182, 271, 3, 130, 50]])
def test_a_nearly_found_group_is_completed_with_equal_probabilities(angles):
    mu = turned(angles, [0.0, -1, -0.5, -9, -9])  # the second time without one of the elements
    assert mu.complete().symbol == "C4"
    g, p = mu.peaks()
    assert p.tolist() == pytest.approx([1 / 2, 1 / 6, 1 / 6, 1 / 6], abs=1e-4)
    products = (g[:, None] @ g).flatten(0, 1)
    assert distance(products[:, None], g).amin(1).max() < 1e-6
    drawn, weight = mu.weighted(mu.noise(200, seed()))
    assert torch.allclose(weight, torch.tensor(0.5).double(), atol=1e-4)  # no other is drawn
    assert distance(drawn[1][:, None], g).amin(1).max() < 1e-6
    two = turned([178, 30], [0.0, -9])
    assert two.complete().symbol == "C2"
    assert two.probabilities().tolist() == pytest.approx([1 / 2, 1 / 2, 0], abs=1e-4)


@pytest.mark.parametrize("angles", [[40, 75, 110], list(range(10, 360, 10))])
def test_rotations_of_no_finite_group_are_left_as_they_are(angles):
    mu = turned(angles, [0.0] * len(angles))
    before = copy.deepcopy(mu.state_dict())
    assert mu.complete().elements is None
    assert all(torch.equal(before[name], value) for name, value in mu.state_dict().items())


def test_without_a_symmetry_the_identity_alone_is_left():
    mu = turned([1.0, 40], [0.0, -9])
    assert mu.complete().symbol == "C1"
    assert float(mu.probabilities()[0].detach()) > 1 - 1e-4


def test_a_state_is_saved_and_loaded():
    mu = off_the_start()
    other = D.Peaks(SO3(), count=12).double()
    other.load_state_dict(copy.deepcopy(mu.state_dict()))
    for a, b in zip(mu.support(), other.support(), strict=True):
        assert torch.equal(a, b)


def test_what_cannot_be_made_is_refused():
    for group in (groups.SO2(), groups.SE3(), groups.PointGroup("O"), groups.About()):
        with pytest.raises(InputError, match="Peaks: expected SO3"):
            D.Peaks(group)
    for settings in ({"count": 0}, {"count": 1.5}, {"cap": 1.0}, {"cap": 0.0}):
        with pytest.raises(InputError, match="a count of at least 1 and a cap between"):
            D.Peaks(SO3(), **settings)  # pyright: ignore
    with pytest.raises(InputError, match="starting extent"):
        D.Peaks(SO3(), init=0.7)
    with pytest.raises(InputError, match="did you mean 'width'"):
        D.Peaks(SO3(), reward="widht")
    frozen = D.Peaks(SO3(), learn=False)
    assert frozen.plain
    assert not any(p.requires_grad for p in frozen.parameters())


def test_fit_finds_the_symmetry_of_a_function_and_names_it():
    """The network is the target itself, a function with the rotations of a trigonal prism."""
    tilt = SO3().haar(1, seed(3))[0]

    class Known(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(()))

        def forward(self, x):
            a, b, c = (x @ tilt).unbind(-1)
            return self.scale * (2 * (a**3 - 3 * a * b**2) + c**2).sum(1)

    x = torch.randn(2000, 2, 3, generator=seed())
    x = x / x.norm(dim=-1, keepdim=True)
    mu = D.Peaks(SO3(), count=48)
    y = Known()(x).detach()
    fit(Augmented(Known(), mu), (x, y), steps=500, lam=0.05, wait=0.0, progress=False)
    found = mu.named()
    assert found.symbol == "D3"
    assert found.axis is not None
    assert float((found.axis @ tilt[:, 2].double()).abs()) > 0.999


def test_a_few_wrong_rotations_are_dropped_beside_peaks_that_were_merged():
    mu = D.Peaks(SO3(), count=64).double()
    quarters = torch.arange(1, 4).repeat(20)[:, None] * torch.tensor([0, 0, math.pi / 2])
    wrong = torch.randn(4, 3, generator=seed(3))
    with torch.no_grad():
        scatter = 0.01 * torch.randn(60, 3, generator=seed(4))
        mu._places.copy_(torch.cat([quarters + scatter, wrong]))
    g, p = mu.peaks()
    assert len(g) == 4  # all 64 are equally likely, but 20 lie at each quarter turn
    assert float(p.sum()) == pytest.approx(1 - 0.2 * 4 / 64)
    assert mu.named().symbol == "C4"
