"""The share reward: its gradient is the same for every generator and at every width."""

import pytest
import torch

from molinv import distributions as D
from molinv import groups

SO3 = groups.SO3()


def push(mu):
    """The gradient of the reward by the extents."""
    theta = list(mu.parameters())
    of_reward = torch.autograd.grad(mu.regularizer(), theta, allow_unused=True)[0]
    total = torch.stack([e.value for e in mu.extent().values()]).sum()
    of_extent = torch.autograd.grad(total, theta, allow_unused=True)[0]
    return of_reward / of_extent


def test_a_box_is_pushed_alike_along_each_generator_at_any_width():
    mu = D.UniformBox(SO3, init=[0.05, 1.0, 3.0], reward="share")
    torch.testing.assert_close(push(mu), torch.full((3,), 1 / (3 * torch.pi)))
    coupled = D.UniformBox(SO3, init=[0.05, 1.0, 3.0], reward="width")
    # "width" pushes a narrow generator less than a wide one
    assert float(push(coupled)[0]) < 0.1 * float(push(coupled)[2])


@pytest.mark.parametrize("init", [0.05, 1.0, 3.0])
def test_a_ball_is_pushed_alike_at_any_radius(init):
    mu = D.HaarBall(SO3, init=init, reward="share")
    assert float(mu.regularizer().detach()) == pytest.approx(init / torch.pi, rel=1e-4)
    torch.testing.assert_close(push(mu), torch.tensor([1 / torch.pi]))


@pytest.mark.parametrize(
    "group", [SO3, groups.T(3), groups.Affine3(), groups.SO2()], ids=lambda g: str(g)
)
def test_at_the_caps_it_is_1_on_every_group(group):
    caps = [(1 - 1e-5) * cap for cap in group.caps]
    for kind in (D.UniformBox, D.Gaussian):
        start = [c / 2 for c in caps] if kind is D.Gaussian else caps
        mu = kind(group, init=start, reward="share")
        assert float(mu.regularizer().detach()) == pytest.approx(1, rel=1e-3)


def test_a_gaussian_is_pushed_alike_along_any_axis():
    def reward(covariance):
        mu = D.Gaussian(SO3, reward="share")
        lower = torch.linalg.cholesky(covariance)
        mu.factor = lambda: lower
        return float(mu.regularizer().detach())

    straight = torch.diag(torch.tensor([1.0, 0.2, 0.1]).square())
    turn = SO3.exp(torch.tensor([0.3, -1.0, 0.7]))
    assert reward(turn @ straight @ turn.mT) == pytest.approx(reward(straight), rel=1e-4)
    assert reward(straight) == pytest.approx(1.3 / 3 / (torch.pi / 2), rel=1e-4)
    mu = D.Gaussian(SO3, init=0.05, reward="share")  # equal singular values: no division by 0
    mu.regularizer().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in mu.parameters())


def test_parts_count_by_their_generators_and_finite_parts_use_the_entropy():
    mu = D.Composed(groups.O3(), init=0.3, reward="share")
    parts = (3 * mu.a.regularizer() + mu.b.regularizer()) / 4
    torch.testing.assert_close(mu.regularizer(), parts)
    torch.testing.assert_close(mu.b.regularizer(), mu.b.entropy_reward())
    x = torch.randn(5, 4, 3)
    bound = D.Conditional(SO3, init=0.3, reward="share").at(x)
    assert float(bound.regularizer().detach()) == pytest.approx(0.3 / torch.pi, rel=1e-4)
