"""Categorical and Composed: probabilities, exact sums, and the gradient through the score."""

import math

import pytest
import torch

from molinv import distributions as D
from molinv import groups
from molinv.errors import InputError

FINITE = [groups.Reflection(3), groups.Cyclic(5), groups.PointGroup("D2d"), groups.PointGroup("O")]


def seed(n=0):
    return torch.Generator().manual_seed(n)


def off_the_start(mu, n=1):
    """The distribution in float64, with parameters away from their initial values."""
    mu = mu.double()
    with torch.no_grad():
        for p in mu.parameters():
            p.add_(1.0 + torch.randn(p.shape, generator=seed(n)).double())
    return mu


def weighted_mean(loss, weight):
    """The mean that `Augmented.risk` takes over drawn elements."""
    return (weight * loss).sum() / weight.sum()


def loss_of(g):
    """A loss that is neither linear nor even in g."""
    weight = torch.randn(g.shape[-2:], generator=seed(9)).double()
    return ((g * weight).sum((-1, -2)) * 1.5).sin().exp()


@pytest.mark.parametrize("group", FINITE, ids=str)
def test_elements_are_drawn_with_their_probabilities(group):
    mu = off_the_start(D.Categorical(group))
    elements, p = mu.support()
    p = p.detach()
    assert float(p.sum()) == pytest.approx(1)
    assert torch.equal(elements[0], torch.eye(group.d).double())
    n = 20_000
    g = mu.rsample(n, seed())
    counts = (g[:, None] - elements).abs().amax((-1, -2)).lt(1e-9).sum(0)
    assert counts.sum() == n
    assert ((counts / n - p).abs() <= 5 * (p * (1 - p) / n).sqrt()).all()
    assert float(mu.extent()["moved"].value.detach()) == pytest.approx(1 - float(p[0]))


@pytest.mark.parametrize("group", FINITE, ids=str)
def test_the_score_has_the_gradient_of_the_exact_sum(group):
    mu = off_the_start(D.Categorical(group))
    elements, p = mu.support()
    exact = torch.autograd.grad((p * loss_of(elements)).sum(), list(mu.parameters()))
    batches, n = 200, 512
    found = []
    for i in range(batches):
        noise = mu.noise(n, seed(i))
        weight = mu.weight(noise)
        assert torch.equal(weight, torch.ones(n).double())
        mean = weighted_mean(loss_of(mu.transform(noise)), weight)
        assert float(mean.detach()) == pytest.approx(float(loss_of(mu.transform(noise)).mean()))
        found.append(torch.autograd.grad(mean, list(mu.parameters())))
    distinct = []
    for gradient, samples in zip(exact, zip(*found, strict=True), strict=True):
        samples = torch.stack(samples) * n / (n - 1)  # the mean as baseline shrinks it by this
        error = samples.std(0) / math.sqrt(batches)
        assert ((samples.mean(0) - gradient).abs() <= 5 * error).all()
        distinct.append((gradient.abs() > 10 * error).any())
    assert any(distinct)  # otherwise a gradient of 0 would pass as well


def test_a_straight_through_gradient_would_be_wrong():
    """An even loss does not change under inversion, but its linearisation does."""
    mu = off_the_start(D.Categorical(groups.Reflection(3)))
    elements, p = mu.support()
    x = torch.tensor([1.0, 2, 3]).double()

    def even(g):
        return (g @ x).square().sum(-1)

    exact = torch.autograd.grad((p * even(elements)).sum(), mu._moved.raw, retain_graph=True)[0]
    assert abs(exact) < 1e-12
    g, soft = mu.transform(mu.noise(100, seed())), (p[:, None, None] * elements).sum(0)
    through = torch.autograd.grad(even(g + soft - soft.detach()).mean(), mu._moved.raw)[0]
    assert abs(through) > 1


def test_entropy_and_rewards_are_kl_to_equal_shares():
    for group in FINITE:
        m = len(group.elements)
        start = D.Categorical(group).double()
        p = start.probabilities().detach()
        assert float(start.kl_haar().detach()) == pytest.approx(float((p * (m * p).log()).sum()))
        assert 1 / m < start.coverage() < 1
        at_cap = D.Categorical(group, init=1 - 1 / m).double()
        assert float(at_cap.kl_haar().detach()) == pytest.approx(0, abs=1e-5)
        assert at_cap.coverage() == pytest.approx(1, abs=1e-5)
        assert float(at_cap.width_reward().detach()) == pytest.approx(1, abs=1e-5)
        shut = D.Categorical(group, init=1e-7).double()
        assert float(shut.entropy_reward().detach()) == pytest.approx(-math.log(m), abs=1e-4)
        half = D.Categorical(group, init=0.1, cap=0.1).double()
        assert float(half.entropy_reward().detach()) == pytest.approx(0, abs=1e-4)
        assert torch.equal(half.regularizer(), half.entropy_reward())


@pytest.mark.parametrize("group", FINITE, ids=str)
def test_without_a_loss_the_reward_makes_all_elements_equally_likely(group):
    mu = D.Categorical(group)
    with torch.no_grad():
        mu._among.copy_(torch.randn(len(mu._among), generator=seed()))
    optimizer = torch.optim.Adam(mu.parameters(), 0.2, maximize=True)
    for _ in range(100):
        optimizer.zero_grad()
        mu.regularizer().backward()
        optimizer.step()
    assert mu.coverage() > 0.98


def test_values_that_are_not_finite_are_refused():
    for group, hint in [
        (groups.SO3(), "use Composed"),
        (groups.O3(), "use Composed"),
        (groups.T(3), "use Composed"),
        (groups.Cyclic(1), "one element only"),
    ]:
        with pytest.raises(InputError, match=hint):
            D.Categorical(group)
    for cap in (0.6, 0.0, math.nan):
        with pytest.raises(InputError, match=r"at most 0\.5"):
            D.Categorical(groups.Reflection(3), cap=cap)
    with pytest.raises(InputError, match="starting extent"):
        D.Categorical(groups.Reflection(3), init=0.7)
    assert not any(p.requires_grad for p in D.Categorical(FINITE[0], learn=False).parameters())


def test_rotations_and_inversion_make_o3():
    mu = off_the_start(D.Composed(groups.O3()))
    assert list(mu.extent()) == ["radius", "moved"]
    ball, flip = mu.a, mu.b
    assert isinstance(ball, D.HaarBall)
    assert isinstance(flip, D.Categorical)
    noise = mu.noise(4000, seed())
    g = mu.transform(noise).detach()
    ours = torch.linalg.det(g)
    p = float(mu.extent()["moved"].value.detach())
    assert float((ours < 0).double().mean()) == pytest.approx(p, abs=5 * math.sqrt(p / 4000))
    angles = groups.SO3().log(g * ours.sign()[:, None, None]).norm(dim=-1)
    assert angles.max() <= float(mu.extent()["radius"].value.detach()) + 1e-6
    for name in ("entropy", "entropy_reward", "regularizer", "kl_haar"):
        parts = getattr(ball, name)() + getattr(flip, name)()
        assert float(getattr(mu, name)().detach()) == pytest.approx(float(parts.detach()))
    assert mu.coverage() == pytest.approx(ball.coverage() * flip.coverage())
    assert torch.equal(mu.weight(noise), flip.weight(noise[:, -1:]))
    widest = D.Composed(groups.O3(), "HaarBall", D.Haar(groups.Reflection(3)), init=math.pi)
    assert float(widest.kl_haar().detach()) == pytest.approx(0, abs=1e-5)


def test_both_gradients_of_a_composed_distribution_are_right():
    """d E loss / d theta against a sum over both elements of fixed rotations."""
    mu = off_the_start(D.Composed(groups.O3()))
    noise = mu.noise(100_000, seed())
    flips = torch.tensor([1.0, -1.0]).double()[:, None, None, None]
    rotations = mu.a.transform(noise[:, :-1])
    both = loss_of((flips * rotations).flatten(0, 1)).reshape(2, -1).mean(1)
    total = (mu.b.probabilities() * both).sum()
    exact = torch.autograd.grad(total, list(mu.parameters()))
    mean = weighted_mean(loss_of(mu.transform(noise)), mu.weight(noise))
    found = torch.autograd.grad(mean, list(mu.parameters()), allow_unused=True)
    for a, b in zip(exact, found, strict=True):
        assert torch.allclose(a, b, atol=5 / math.sqrt(len(noise)))


def test_three_parts():
    three = D.Composed(groups.Compose(groups.O3(), groups.Scaling(3)))
    assert list(three.extent()) == ["radius", "moved", "scale"]
    assert three.weight(three.noise(5, seed())).requires_grad


def test_parts_are_named_or_given():
    o3 = groups.O3()
    mu = D.Composed(o3, "UniformBox", D.Haar(groups.Reflection(3)))
    assert isinstance(mu.a, D.UniformBox)
    with pytest.raises(InputError, match="two parts such as O3, got SO3"):
        D.Composed(groups.SO3())
    with pytest.raises(InputError, match=r"expected a distribution on SO3 with .* one on SO2"):
        D.Composed(o3, D.HaarBall(groups.SO2()))
    with pytest.raises(InputError, match="did you mean 'UniformBox'"):
        D.Composed(o3, "UniformBx")
    with pytest.raises(InputError, match="did you mean 'width'"):
        D.Composed(o3, reward="widht")
