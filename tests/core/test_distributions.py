"""Distributions against finite differences, integrals and known values."""

import math

import pytest
import torch
from scipy.integrate import quad
from scipy.stats import kstest

from molinv import distributions as D
from molinv import groups
from molinv.distributions.haar_ball import ball_measure, ball_quantile
from molinv.errors import InputError

SO3 = groups.SO3
LEARNED = [D.UniformBox, D.HaarBall, D.Gaussian]


@pytest.mark.parametrize("kind", LEARNED)
def test_samples_are_differentiable_in_the_parameters(kind):
    mu = kind(SO3(), init=1.2).double()
    noise = mu.noise(200, torch.Generator().manual_seed(0)).double()
    weight = torch.randn(3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))

    def value():
        return (mu.transform(noise) * weight).sum((-1, -2)).sin().mean()

    for p in mu.parameters():
        (gradient,) = torch.autograd.grad(value(), p)
        for i in range(min(p.numel(), 3)):
            flat = p.data.view(-1)
            at, h = flat[i].item(), 1e-5
            flat[i] = at + h
            up = value().item()
            flat[i] = at - h
            down = value().item()
            flat[i] = at
            assert gradient.view(-1)[i].item() == pytest.approx((up - down) / (2 * h), abs=1e-6)


@pytest.mark.parametrize("kind", LEARNED)
def test_the_entropy_reward_opens_from_nearly_closed(kind):
    mu = kind(SO3())
    assert mu.regularizer() < -3
    optimizer = torch.optim.Adam(mu.parameters(), 0.1)
    for _ in range(300):
        optimizer.zero_grad()
        (-mu.regularizer()).backward()
        optimizer.step()
    assert all(e.value > 0.9 * e.cap for e in mu.extent().values())
    assert all(e.value <= e.cap * (1 + 1e-6) for e in mu.extent().values())


@pytest.mark.parametrize("kind", LEARNED)
@pytest.mark.parametrize("raw", [-50.0, 50.0])
def test_extreme_parameters_stay_finite(kind, raw):
    mu = kind(SO3())
    with torch.no_grad():
        next(mu.parameters()).fill_(raw)
    loss = mu.rsample(64, torch.Generator().manual_seed(0)).square().sum() + mu.regularizer()
    loss.backward()
    assert loss.isfinite()
    assert all(p.grad.isfinite().all() for p in mu.parameters() if p.grad is not None)


def test_the_kl_divergence_of_the_box_at_its_cap_is_0_238_nats():
    # references by integration over the angle, with the fraction of axes inside the box
    assert float(D.UniformBox(SO3(), init=math.pi).kl_haar().detach()) == pytest.approx(
        0.2382, abs=2e-3
    )
    assert float(D.UniformBox(SO3(), init=3.0).kl_haar().detach()) == pytest.approx(
        0.2343, abs=2e-3
    )
    assert D.UniformBox(SO3(), init=math.pi).coverage() == pytest.approx(1, abs=2e-3)


def test_box_coverage_agrees_with_haar_samples():
    so3 = SO3().double()
    xi = so3.log(so3.haar(40_000, torch.Generator().manual_seed(0)).double())
    share = float((xi.abs() <= 1.5).all(-1).double().mean())
    assert D.UniformBox(SO3(), init=1.5).coverage() == pytest.approx(share, abs=0.01)


def test_closed_forms_where_they_exist():
    box = D.UniformBox(groups.SO2(), init=1.0)
    assert float(box.entropy().detach()) == pytest.approx(math.log(1 / math.pi), abs=1e-4)
    assert box.coverage() == pytest.approx(1 / math.pi, abs=1e-4)
    free = D.UniformBox(groups.T(3), init=2.0)
    assert float(free.entropy().detach()) == pytest.approx(3 * math.log(4), abs=1e-4)
    assert free.coverage() is None
    with pytest.raises(InputError, match="compact"):
        free.kl_haar()
    gauss = D.Gaussian(groups.T(3), init=0.5)
    exact = 1.5 * math.log(2 * math.pi * math.e) + 3 * math.log(0.5)
    assert float(gauss.entropy().detach()) == pytest.approx(exact, abs=1e-2)
    assert float(D.Gaussian(SO3(), init=1.5).kl_haar().detach()) == pytest.approx(0.017, abs=2e-3)


@pytest.mark.parametrize("radius", [0.05, 0.5, 2.0, math.pi])
def test_the_haar_ball_against_numerical_integration(radius):
    def density(t):
        return (1 - math.cos(t)) / math.pi

    mass = quad(density, 0, radius)[0]
    mu = D.HaarBall(SO3(), init=radius).double()
    assert mu.coverage() == pytest.approx(mass, rel=1e-4)
    assert float(mu.entropy().detach()) == pytest.approx(math.log(mass), abs=1e-4)
    with torch.no_grad():
        g = mu.rsample(20_000, torch.Generator().manual_seed(0))
    angles = SO3().log(g).norm(dim=-1).numpy()
    assert kstest(angles, lambda t: (t - torch.tensor(t).sin().numpy()) / math.pi / mass).pvalue > (
        1e-3
    )
    # d/dt_max of E cos(angle) = F'(t)/F(t) (cos t - E cos)
    mean = quad(lambda t: math.cos(t) * density(t) / mass, 0, radius)[0]
    slope = density(radius) / mass * (math.cos(radius) - mean)
    t_max = torch.tensor([radius], dtype=torch.float64, requires_grad=True)
    share = (torch.arange(20_000, dtype=torch.float64)[:, None] + 0.5) / 20_000
    ball_quantile(SO3(), share, t_max).cos().mean().backward()
    assert t_max.grad is not None
    assert t_max.grad.item() == pytest.approx(slope, rel=1e-3, abs=1e-6)


def test_the_quantile_inverts_the_measure():
    share = torch.logspace(-6, 0, 100, dtype=torch.float64)[:, None]
    for radius in (1e-3, 0.3, math.pi):
        top = torch.tensor([radius], dtype=torch.float64)
        back = ball_measure(SO3(), ball_quantile(SO3(), share, top)) / ball_measure(SO3(), top)
        assert ((back - share) / share).abs().max() < 1e-9


def test_the_ball_at_pi_is_haar():
    with torch.no_grad():
        g = D.HaarBall(SO3(), init=math.pi).rsample(40_000, torch.Generator().manual_seed(0))
    assert g.mean(0).abs().max() < 5 / math.sqrt(3 * 40_000)
    trace = g.diagonal(dim1=1, dim2=2).sum(-1)
    assert abs(trace.square().mean() - 1) < 0.05
    assert float(D.HaarBall(SO3(), init=math.pi).regularizer().detach()) == pytest.approx(
        0, abs=1e-4
    )


def test_rewards_by_name():
    box = D.UniformBox(SO3(), init=1.0, reward="width")
    assert float(box.regularizer().detach()) == pytest.approx(math.sqrt(3) / math.pi, rel=1e-5)
    assert float(D.UniformBox(SO3(), reward="none").regularizer().detach()) == 0
    with pytest.raises(InputError, match="entropy"):
        D.UniformBox(SO3(), reward="entropie")
    with pytest.raises(InputError, match="expected SO3, SO2 or another"):
        D.HaarBall(groups.SE3())
    with pytest.raises(InputError, match="HaarBall"):
        D.find("HarBall")
    assert not any(p.requires_grad for p in D.UniformBox(SO3(), learn=False).parameters())
