"""Networks that know nothing of molinv, and models from out of tree."""

import torch
from torch import nn

from molinv.models.point import Point


class Net(nn.Module):
    """The smallest network that can be trained: a bias for each element and a radius."""

    def __init__(self, targets, scale=1.0):
        super().__init__()
        self.element = nn.Embedding(119, targets)
        self.radius = nn.Linear(1, targets)
        self.scale = scale

    def forward(self, pos, z):
        values = self.element(z) + self.radius(pos.square().sum(-1, keepdim=True))
        return self.scale * (values * (z > 0)[..., None]).sum(1) / 20


class Fixed(nn.Module):
    """Takes no number of targets: always one."""

    def __init__(self, *, width=4):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, width), nn.Tanh(), nn.Linear(width, 1))

    def forward(self, pos, z):
        return (self.layers(pos) * (z > 0)[..., None]).sum(1)


class Bare(nn.Module):
    """No constructor of its own."""

    def forward(self, pos, z):
        return (pos.square().sum(-1) * (z > 0)).sum(1, keepdim=True)


class Flat(Net):
    """Forgets the axis of targets."""

    def forward(self, pos, z):
        return super().forward(pos, z)[:, 0]


class Small(Point):
    """A Model from out of tree, for small molecules only."""

    max_atoms = 12


def build(targets):
    return torch.nn.Linear(3, targets)
