"""Laws of every distribution on every group that it accepts."""

import math
from copy import deepcopy

import pytest
import torch

from molinv import distributions as D
from molinv import groups
from molinv.errors import InputError

OTHERS = (D.Categorical, D.Composed, D.Peaks)  # these learn probabilities, not only widths
GROUPS = [g for kind in groups.available().values() for g in kind.examples()]


def accepted():
    """Every distribution except Conditional, on every group that it accepts."""
    found = []
    for kind in set(D.available().values()) - {D.Conditional}:
        for group in GROUPS:
            try:
                kind(group)
            except InputError:
                continue
            found.append(pytest.param(kind, group, id=f"{kind.__name__}-{group}"))
    return sorted(found, key=lambda p: p.id)


def own(mu):
    """The distribution's parameters, without those of a group with learned generators."""
    shared = set(mu.group.parameters())
    return [p for p in mu.parameters() if p not in shared]


def learned():
    return [p for p in accepted() if own(p.values[0](p.values[1]))]


def in_one_family():
    """The learned distributions of widths: the others have their own tests."""
    return [p for p in learned() if p.values[0] not in OTHERS]


def make(kind, group, dtype=torch.float64, **kw):
    return kind(deepcopy(group), **kw).to(dtype)


def seed(n=0):
    return torch.Generator().manual_seed(n)


def raws(mu):
    return [p for name, p in mu.named_parameters() if name.endswith("raw")]


@pytest.mark.parametrize(("kind", "group"), accepted())
def test_samples_are_elements_of_the_right_type_and_reproducible(kind, group):
    for dtype in (torch.float32, torch.float64):
        mu = make(kind, group, dtype)
        g = mu.rsample(7, seed())
        assert g.shape == (7, group.d, group.d)
        assert g.dtype == dtype
        assert torch.equal(g, mu.rsample(7, seed()))
        assert mu.rsample(0, seed()).shape == (0, group.d, group.d)
        assert torch.equal(mu.transform(mu.noise(5, seed())), mu.rsample(5, seed()))
        assert mu.at(None) is mu


@pytest.mark.parametrize(("kind", "group"), in_one_family())
def test_gradients_of_samples_agree_with_finite_differences(kind, group):
    mu = make(kind, group)
    with torch.no_grad():  # away from the symmetric initial values
        for p in mu.parameters():
            p.add_(0.7 + 0.3 * torch.randn(p.shape, generator=seed(1)))
    noise = mu.noise(50, seed(2)).double()
    weight = torch.randn(group.d, group.d, generator=seed(3)).double()
    parameters = list(mu.parameters())

    def value():
        return (mu.transform(noise) * weight).sum((-1, -2)).sin().mean()

    gradient = torch.autograd.grad(value(), parameters)
    for trial in range(2):
        step = [torch.randn(p.shape, generator=seed(4 + trial)).double() for p in parameters]
        there = []
        for h in (1e-5, -1e-5):
            with torch.no_grad():
                for p, s in zip(parameters, step, strict=True):
                    p.add_(h * s)
                there.append(float(value()))
                for p, s in zip(parameters, step, strict=True):
                    p.sub_(h * s)
        slope = sum(float((g * s).sum()) for g, s in zip(gradient, step, strict=True))
        assert slope == pytest.approx((there[0] - there[1]) / 2e-5, rel=1e-5, abs=1e-8)


@pytest.mark.parametrize(("kind", "group"), accepted())
def test_extents_carry_units_and_never_pass_their_caps(kind, group):
    mu = make(kind, group, torch.float32)
    if kind not in OTHERS:
        assert set(mu.extent()) in ({"radius"}, set(group.names))
    for push in (0.0, -50.0, 3.0, 50.0):
        with torch.no_grad():
            for p in raws(mu):
                p.fill_(push)
        for name, extent in mu.extent().items():
            units = dict(zip(group.names, group.units, strict=True))
            units |= {"radius": "rad", "moved": "probability"}
            assert extent.unit in (units.get(name), units.get(name.split(".")[-1]))
            assert 0 <= extent.value <= extent.cap * (1 + 1e-6)
            assert extent.cap > 0
        coverage = mu.coverage()
        assert (coverage is None) != group.compact
        assert coverage is None or 0 <= coverage <= 1


@pytest.mark.parametrize(("kind", "group"), learned())
def test_everything_stays_finite_from_width_0_to_the_cap(kind, group):
    for dtype in (torch.float32, torch.float64):
        mu = make(kind, group, dtype)
        if isinstance(mu, D.UniformBox | D.Gaussian):
            mu.entropy = mu.entropy_reward  # slow on many points: has a test of its own below
        for push in (-50.0, -10.0, 10.0, 50.0):
            for quantity in (
                mu.entropy,
                mu.entropy_reward,
                mu.width_reward,
                lambda mu=mu: mu.rsample(64, seed()).square().mean(),
            ):
                mu.zero_grad()
                with torch.no_grad():
                    for p in raws(mu):
                        p.fill_(push)
                value = quantity()
                assert value.isfinite()
                if not value.requires_grad:  # a finite group: the weight has the gradient
                    assert not mu.plain
                    value = mu.weight(mu.noise(64, seed())).sum()
                value.backward()
                for p in mu.parameters():
                    assert p.grad is None or p.grad.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("push", [-50.0, 50.0])
@pytest.mark.parametrize("kind", [D.UniformBox, D.Gaussian, D.HaarBall])
def test_entropy_stays_finite_and_right_at_the_ends(kind, push, dtype):
    mu = make(kind, groups.SO3(), dtype)
    with torch.no_grad():
        for p in raws(mu):
            p.fill_(push)
    entropy = mu.entropy()
    entropy.backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in mu.parameters())
    if push < 0:  # narrow: volume x the Haar density at the identity, 1 / (8 pi^2)
        log_width = math.log(next(iter(mu.extent().values())).cap) - 50
        shape = {
            D.UniformBox: 3 * math.log(2),
            D.Gaussian: 1.5 * math.log(2 * math.pi * math.e),
            D.HaarBall: math.log(4 * math.pi / 3),
        }[kind]
        exact = 3 * log_width + shape - math.log(8 * math.pi**2)
        assert float(entropy.detach()) == pytest.approx(exact, abs=0.01)
    else:
        assert -0.3 < float(entropy.detach()) <= 1e-6


@pytest.mark.parametrize(("kind", "group"), in_one_family())
def test_rewards(kind, group):
    cap = next(iter(make(kind, group).extent().values())).cap
    caps = [e.cap for e in make(kind, group).extent().values()]
    open_ = cap if len(caps) == 1 else caps
    wide = make(kind, group, init=open_)
    assert float(wide.entropy_reward().detach()) == pytest.approx(0, abs=1e-3)
    assert float(wide.width_reward().detach()) == pytest.approx(math.sqrt(len(caps)), rel=1e-3)
    half = [c / 2 for c in caps]
    width = make(kind, group, init=half if len(half) > 1 else half[0], reward="width")
    assert float(width.regularizer().detach()) == pytest.approx(math.sqrt(len(caps)) / 2, rel=1e-5)
    assert float(make(kind, group, reward="none").regularizer()) == 0
    narrow = make(kind, group, init=[1e-5 * c for c in caps] if len(caps) > 1 else 1e-5 * caps[0])
    assert -4 * group.k < float(narrow.entropy_reward().detach()) < -2 * group.k
    with pytest.raises(InputError, match="did you mean 'width'"):
        kind(group, reward="widht")


@pytest.mark.parametrize("reward", ["entropy", "width"])
@pytest.mark.parametrize(("kind", "group"), learned())
def test_without_a_loss_the_reward_opens_it_nearly_to_the_caps(kind, group, reward):
    mu = make(kind, group, reward=reward)
    optimizer = torch.optim.Adam(mu.parameters(), 0.2, maximize=True)
    for _ in range(60):
        optimizer.zero_grad()
        mu.regularizer().backward()
        optimizer.step()
    assert all(e.value > 0.85 * e.cap for e in mu.extent().values())


@pytest.mark.parametrize(("kind", "group"), in_one_family())
def test_frozen_and_out_of_range(kind, group):
    frozen = kind(group, learn=False)
    assert not any(p.requires_grad for p in own(frozen))
    caps = [e.cap for e in kind(group).extent().values()]
    for init in (0.0, -1.0, 2 * max(caps), math.nan):
        with pytest.raises(InputError, match="starting extent above 0"):
            kind(group, init=init)
    with pytest.raises(InputError, match=r"one for each|at most a finite cap"):
        kind(group, init=[0.01] * (len(caps) + 1))
    start = kind(group, init=0.1)
    assert all(abs(e.value - 0.1) < 1e-6 for e in start.extent().values())


def test_haar_relative_quantities_belong_to_compact_groups():
    for param in accepted():
        kind, group = param.values
        mu = kind(group)
        if group.compact:
            continue
        assert mu.coverage() is None
        with pytest.raises(InputError, match="not compact"):
            mu.kl_haar()
    with pytest.raises(InputError, match="compact"):
        D.Haar(groups.SE3())


@pytest.mark.parametrize("group", [g for g in GROUPS if g.k and not g.compact], ids=str)
def test_on_groups_that_are_not_compact_a_box_has_the_entropy_of_its_volume(group):
    widths = [0.3 * c for c in group.caps]
    box = make(D.UniformBox, group, init=widths)
    exact = sum(math.log(2 * w) for w in widths)
    assert float(box.entropy().detach()) == pytest.approx(exact, abs=1e-5)


def test_identity_and_haar_on_finite_groups():
    assert D.Identity(groups.Cyclic(4)).coverage() == 0.25
    assert float(D.Identity(groups.Cyclic(4)).kl_haar()) == pytest.approx(math.log(4))
    assert float(D.Haar(groups.Cyclic(4)).kl_haar()) == 0
    assert float(D.Identity(groups.SO3()).kl_haar()) == math.inf
    for kind in (D.UniformBox, D.Gaussian):
        with pytest.raises(InputError, match="no generators"):
            kind(groups.Cyclic(4))


def test_samples_stay_inside_the_box_and_fill_it():
    widths = torch.tensor([0.2, 1.0, 0.5]).double()
    box = make(D.UniformBox, groups.SO3(), init=widths.tolist())
    xi = groups.SO3().log(box.rsample(20_000, seed()).detach())
    assert (xi.abs().amax(0) <= widths + 1e-6).all()
    assert (xi.abs().amax(0) > 0.999 * widths).all()
    # all octants, unlike the published [0, w], and the variance of a uniform distribution
    assert ((xi > 0).double().mean(0) - 0.5).abs().max() < 5 * 0.5 / math.sqrt(20_000)
    assert torch.allclose(xi.var(0), widths**2 / 3, rtol=0.05)


def test_a_gaussian_has_the_covariance_that_it_reports():
    gauss = make(D.Gaussian, groups.T(3), init=[0.2, 1.0, 0.5])
    lower = dict(gauss.named_parameters())["_lower"]
    with torch.no_grad():
        lower.copy_(torch.randn(3, 3, generator=seed(5)))
    covariance = gauss.covariance().detach()
    stds = torch.stack([e.value for e in gauss.extent().values()]).detach()
    assert torch.allclose(covariance.diagonal().sqrt(), stds)
    assert covariance[0, 1].abs() > 0.01
    n = 40_000
    t = gauss.rsample(n, seed()).detach()[:, :3, 3]
    products = t[:, :, None] * t[:, None]
    assert ((products.mean(0) - covariance).abs() < 5 * products.std(0) / math.sqrt(n)).all()
    exact = 0.5 * float(torch.logdet(2 * math.pi * math.e * covariance))
    assert float(gauss.entropy().detach()) == pytest.approx(exact, abs=0.01)
    gauss.entropy().backward()  # d entropy / d log sigma is 1 along each axis
    raw = raws(gauss)[0]
    share = stds / gauss._scales.cap
    assert raw.grad is not None
    assert torch.allclose(raw.grad, 1 - share, atol=0.01)
