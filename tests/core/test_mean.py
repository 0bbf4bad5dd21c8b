"""A distribution around another element than the identity: a zero mean is enough."""

import pytest
import torch
from torch import nn

from molinv import Augmented, groups
from molinv import distributions as D

SO3 = groups.SO3().double()
TURN = SO3.exp(torch.tensor([[0.4, -0.9, 0.7]]).double())[0]
CLOUDS = torch.randn(6, 4, 3, generator=torch.Generator().manual_seed(0)).double()


class Shifted(D.UniformBox):
    """h exp(w u): the box moved to the element h, so that its ranges are not symmetric."""

    def transform(self, noise):
        return TURN @ super().transform(noise)


class Turned(nn.Module):
    """f(h x), a network that has absorbed the mean."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        return self.model(x @ TURN.mT)


def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Linear(12, 16), nn.Tanh(), nn.Linear(16, 2)).double()


@pytest.mark.parametrize("group", [groups.SO3(), groups.About(0.0, 0.6, 0.8)])
def test_a_mean_can_be_absorbed_by_the_network(group):
    """Losses and gradients of widths are the same, whatever the loss, so they learn the same."""
    found = []
    for kind, net in ((Shifted, network()), (D.UniformBox, Turned(network()))):
        model = Augmented(net, kind(group, init=0.7).double(), copies=3)
        risk = model.risk(
            lambda y: (y - 1).abs(), CLOUDS, generator=torch.Generator().manual_seed(1)
        )
        risk.loss.backward()
        found.append([risk.loss.detach(), *(p.grad for p in model.parameters())])
    for mine, theirs in zip(*found, strict=True):
        assert torch.allclose(mine, theirs, atol=1e-12)
    assert float(found[0][1].abs().max()) > 1e-3
