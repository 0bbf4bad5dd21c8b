"""Small networks and distributions trained together, on formulas whose symmetry is known.

Settings are the trainer's defaults: lambda 0.02 on a standardised L1 loss, learning rate 3e-2
for the distribution, and gradients clipped at 1, separately for network and distribution.
"""

import math

import pytest
import torch
from torch import nn

from molinv import actions, groups
from molinv import distributions as D

AXIS = torch.tensor([0.6, -0.48, 0.64])


def spread(x):
    """The mean distance from the centroid, (n,)."""
    return (x - x.mean(1, keepdim=True)).norm(dim=-1).mean(1)


def even(x):
    return x[:, 0, 0] * x[:, 1, 1] + x[:, 2, 2].square()


def odd(x):
    return x[:, 0, 0] + x[:, 1, 1]


def invariant(x):
    return (x[:, 0] - x[:, 1]).norm(dim=-1) + x[:, 2].norm(dim=-1)


def axial(x):
    return x[:, 0] @ AXIS + x[:, 1].norm(dim=-1)


def axial_if_large(x):
    return x[:, 0].norm(dim=-1) + 2 * x[:, 0, 0] * (20 * (spread(x) - 1.25)).sigmoid()


def square(x):
    return x[:, 0, :2].pow(4).sum(-1).sqrt() + x[:, 1, 2].abs()


def learn(mu, formula, steps):
    """Train on 20,000 clouds of three points; returns the mean loss of the last 100 steps."""
    x = torch.randn(20_000, 3, 3)
    y = formula(x)
    y = (y - y.mean()) / y.std()
    net = nn.Sequential(
        nn.Flatten(), nn.Linear(9, 96), nn.SiLU(), nn.Linear(96, 96), nn.SiLU(), nn.Linear(96, 1)
    )
    parts = [{"params": net.parameters(), "lr": 2e-3}, {"params": mu.parameters(), "lr": 3e-2}]
    optimizer = torch.optim.AdamW(parts, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps, eta_min=2e-5)
    points, losses = actions.Points(), []
    for _ in range(steps):
        some = torch.randint(len(x), (128,))
        here = mu.at(x[some])
        noise = here.noise(len(some))
        moved = points.act(mu.group, here.transform(noise), x[some])
        error = (net(moved)[:, 0] - y[some]).abs()
        weight = here.weight(noise)
        loss = (weight * error).sum() / weight.sum()
        optimizer.zero_grad()
        (loss - 0.02 * here.regularizer()).backward()
        for part in optimizer.param_groups:
            nn.utils.clip_grad_norm_(part["params"], 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return sum(losses[-100:]) / 100


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(("formula", "p"), [(even, 0.5), (odd, 0.0)])
def test_a_reflection_is_found_or_left(formula, p, seed):
    torch.manual_seed(seed)
    mu = D.Categorical(groups.Reflection(3))
    assert learn(mu, formula, 1000) < 0.1
    assert float(mu.extent()["moved"].value.detach()) == pytest.approx(p, abs=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_the_subgroup_of_a_point_group_is_found(seed):
    torch.manual_seed(seed)
    mu = D.Categorical(groups.PointGroup("Oh"))
    assert learn(mu, square, 1500) < 0.2
    elements, p = mu.support()
    known = groups.PointGroup("D4h").elements
    inside = (elements[:, None] - known).abs().amax((-1, -2)).lt(1e-5).any(1)
    assert inside.sum() == 16
    assert p[inside].sum() > 0.95
    assert mu.coverage() > 0.6 * 16 / 48


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(
    ("formula", "group"), [(invariant, groups.SO3()), (axial, groups.About(*AXIS.tolist()))]
)
def test_generators_are_found(formula, group, seed):
    torch.manual_seed(seed)
    basis = groups.LearnedBasis(9, 3)
    mu = D.UniformBox(basis)
    assert len(basis.span(torch.full((9,), 0.05))) == 9  # all directions in use
    learn(mu, formula, 2000)
    used = basis.span(torch.stack([e.value for e in mu.extent().values()]))
    assert len(used) == group.k
    assert groups.cosines(used, group.generators).min() > 0.99


@pytest.mark.slow
def test_widths_are_learned_as_a_function_of_the_input():
    torch.manual_seed(0)
    mu = D.Conditional(groups.About())
    learn(mu, axial_if_large, 3000)
    x = torch.randn(4000, 3, 3)
    widths, size = mu.at(x).widths.detach()[:, 0], spread(x)
    assert float(widths[size < 1.0].mean()) > math.pi - 0.25
    assert float(widths[size > 1.5].mean()) < 0.25
    for apart in (widths[size < 1.0] > 1, widths[size > 1.5] < 1):
        assert apart.double().mean() > 0.95
