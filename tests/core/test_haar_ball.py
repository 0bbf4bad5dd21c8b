"""HaarBall against numerical integrals, and the box's KL divergence from Haar."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import kstest

from molinv import distributions as D
from molinv import groups
from molinv.distributions.haar_ball import ball_measure, ball_quantile

SO3 = groups.SO3
SHARES = torch.logspace(-6, 0, 200, dtype=torch.float64)[:, None]


def seed(n=0):
    return torch.Generator().manual_seed(n)


def density(t):
    return (1 - math.cos(t)) / math.pi


@pytest.mark.parametrize("radius", [1e-12, 1e-6, 1e-3, 0.0499, 0.25, 1.0, 3.0, math.pi])
def test_quantiles_undo_the_measure(radius):
    top = torch.tensor([radius], dtype=torch.float64)
    angle = ball_quantile(SO3(), SHARES, top)
    assert (angle.diff(dim=0) > 0).all()
    assert angle[-1, 0] == pytest.approx(radius, rel=1e-12)
    back = ball_measure(SO3(), angle) / ball_measure(SO3(), top)
    assert ((back - SHARES) / SHARES).abs().max() < 1e-10
    single = ball_quantile(SO3(), SHARES.float(), top.float())
    assert single.dtype == torch.float32
    assert ((single - angle) / angle).abs().max() < 1e-6


@pytest.mark.parametrize("radius", [1e-20, 1e-6, 0.05, 1.0, math.pi])
def test_quantiles_and_their_gradients_are_finite_at_the_ends(radius):
    for dtype in (torch.float32, torch.float64):
        top = torch.tensor([radius], dtype=dtype, requires_grad=True)
        share = torch.tensor([[0.0], [2.0**-24], [1.0]], dtype=dtype)
        angle = ball_quantile(SO3(), share, top)
        assert (angle <= top * (1 + 1e-6)).all()
        assert (angle >= 0).all()
        (slope,) = torch.autograd.grad(angle.sum(), top)
        assert slope.isfinite().all()
        assert slope <= 2.01


@pytest.mark.parametrize("group", [groups.SO2(), groups.SO3()], ids=str)
def test_the_gradient_of_the_quantile_matches_finite_differences(group):
    share = SHARES[::20]
    top = torch.tensor([1.7], dtype=torch.float64)
    h = 1e-5
    slope = (ball_quantile(group, share, top + h) - ball_quantile(group, share, top - h)) / (2 * h)
    for i, expected in enumerate(slope[:, 0]):
        t = top.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(ball_quantile(group, share, t)[i, 0], t)
        assert float(gradient) == pytest.approx(float(expected), rel=1e-7)


@pytest.mark.parametrize("radius", [0.05, 0.5, 2.0, 3.1])
def test_entropy_coverage_and_their_slopes(radius):
    mass = quad(density, 0, radius)[0]
    ball = D.HaarBall(groups.SO3(), init=radius).double()
    (raw,) = ball.parameters()
    entropy = ball.entropy()
    (slope,) = torch.autograd.grad(entropy, raw)
    by_raw = radius * (1 - radius / math.pi)  # the derivative of pi sigmoid(raw)
    assert float(entropy.detach()) == pytest.approx(math.log(mass), abs=1e-5)
    assert ball.coverage() == pytest.approx(mass, rel=1e-5)
    assert float(slope) == pytest.approx(density(radius) / mass * by_raw, rel=1e-4)
    flat = D.HaarBall(groups.SO2(), init=radius).double()
    assert float(flat.entropy().detach()) == pytest.approx(math.log(radius / math.pi), abs=1e-5)
    assert flat.coverage() == pytest.approx(radius / math.pi, rel=1e-5)


@pytest.mark.parametrize("radius", [0.1, 1.0, 2.5])
def test_the_gradient_of_an_expectation_over_samples(radius):
    """f depends on angle and axis: f(R) = R_zz^2 = (cos + n_z^2 (1 - cos))^2."""
    ball = D.HaarBall(groups.SO3(), init=radius).double()
    noise = torch.quasirandom.SobolEngine(3, seed=0).draw(2**14, dtype=torch.float64)
    height, turn = 2 * noise[:, 1] - 1, 2 * math.pi * noise[:, 2]
    flat = (1 - height**2).clamp_min(0).sqrt()
    axis = torch.stack([flat * turn.cos(), flat * turn.sin(), height], -1)
    value = ball.transform(torch.cat([noise[:, :1], axis], -1))[:, 2, 2].square().mean()
    (slope,) = torch.autograd.grad(value, list(ball.parameters()))

    def shell(t):  # the mean over the axis: E n_z^2 = 1/3, E n_z^4 = 1/5
        c = math.cos(t)
        return c**2 + 2 * c * (1 - c) / 3 + (1 - c) ** 2 / 5

    mass = quad(density, 0, radius)[0]
    mean = quad(lambda t: shell(t) * density(t), 0, radius)[0] / mass
    exact = density(radius) / mass * (shell(radius) - mean)
    assert float(value.detach()) == pytest.approx(mean, abs=1e-3)
    assert float(slope) == pytest.approx(exact * radius * (1 - radius / math.pi), rel=0.01)


def test_at_pi_it_is_uniform_on_the_rotations():
    n = 40_000
    so3 = groups.SO3()
    for dtype in (torch.float32, torch.float64):
        with torch.no_grad():
            g = D.HaarBall(so3, init=math.pi).to(dtype).rsample(n, seed()).double()
        angle = so3.log(g).norm(dim=-1)
        assert (
            kstest(angle.numpy(), lambda t: (t - np.sin(t)) / math.pi, method="asymp").pvalue > 1e-3
        )
        axis = so3.log(g) / angle[:, None]
        assert (axis.mean(0).abs() < 5 / math.sqrt(3 * n)).all()
        # matrix elements of degree 1 and 2, and the same after a shift
        for shift in (torch.eye(3).double(), so3.exp(torch.tensor([0.4, -1.0, 2.0]).double())):
            moved = shift @ g
            assert (moved.mean(0).abs() < 5 / math.sqrt(3 * n)).all()
            products = torch.einsum("nij,nkl->nijkl", moved, moved)
            eye = torch.eye(3).double()
            exact = torch.einsum("ik,jl->ijkl", eye, eye) / 3
            assert ((products.mean(0) - exact).abs() < 5 * products.std(0) / math.sqrt(n)).all()


def test_a_smaller_ball_is_not_uniform():
    with torch.no_grad():
        g = D.HaarBall(groups.SO3(), init=2.9).rsample(40_000, seed()).double()
    angle = groups.SO3().log(g).norm(dim=-1).numpy()
    assert kstest(angle, lambda t: (t - np.sin(t)) / math.pi, method="asymp").pvalue < 1e-6


def test_on_the_circle_it_is_uniform_up_to_the_radius():
    with torch.no_grad():
        g = D.HaarBall(groups.SO2(), init=1.5).double().rsample(20_000, seed())
    angle = groups.SO2().log(g)[:, 0].numpy()
    assert kstest(angle, "uniform", args=(-1.5, 3.0), method="asymp").pvalue > 1e-3


def box_kl(w):
    """KL(box || Haar), integrated over angle and axis; each rotation has two logarithms."""
    i = np.arange(200_000) + 0.5
    z, turn = 1 - 2 * i / len(i), math.pi * (1 + math.sqrt(5)) * i
    flat = np.sqrt(1 - z**2)
    longest = np.sort(np.max(np.abs([flat * np.cos(turn), flat * np.sin(turn), z]), 0))
    t = (np.arange(20_000) + 0.5) * math.pi / 20_000
    far = 2 * math.pi - t

    def share(reach):  # fraction of axes for which a rotation vector of this length is inside
        return np.searchsorted(longest, reach, side="right") / len(longest)

    def surprise(square):  # rho log rho, where rho is the density relative to Haar
        rho = 4 * math.pi**2 / (8 * w**3) * square / (1 - np.cos(t))
        return rho * np.log(rho)

    both = share(w / far)
    one = share(w / t) - both
    values = both * surprise(t**2 + far**2) + one * surprise(t**2)
    return float((values * (1 - np.cos(t))).mean())


@pytest.mark.parametrize(
    ("w", "exact"), [(1.0, None), (2.8, None), (3.0, 0.2343), (math.pi, 0.2382)]
)
def test_the_kl_divergence_of_the_box_against_an_integral(w, exact):
    kl = box_kl(w)
    assert exact is None or kl == pytest.approx(exact, abs=2e-4)
    assert float(D.UniformBox(groups.SO3(), init=w).kl_haar().detach()) == pytest.approx(
        kl, abs=2e-3
    )


@pytest.mark.parametrize(
    "widths", [(0.3, 0.3, 0.3), (1.0, 1.0, 1.0), (0.5, 2.0, 3.0), (3.0, 3.0, 3.0)]
)
def test_box_coverage_is_the_share_of_haar_inside(widths):
    so3 = groups.SO3().double()
    xi = so3.log(so3.haar(100_000, seed()))
    angle = xi.norm(dim=-1, keepdim=True)
    antipode = -xi / angle * (2 * math.pi - angle)
    limit = torch.tensor(widths)
    inside = ((xi.abs() <= limit).all(-1) | (antipode.abs() <= limit).all(-1)).double().mean()
    error = math.sqrt(float(inside * (1 - inside)) / len(xi))
    box = D.UniformBox(groups.SO3(), init=widths)
    assert box.coverage() == pytest.approx(float(inside), abs=5 * error + 1e-4)
