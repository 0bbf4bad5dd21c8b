"""Ordinary torch modules, and models outside molinv."""

import torch
from torch import nn

from molinv.models.point import Point


class Net(nn.Module):
    """A minimal network: a bias for each element, plus a linear function of the squared radius."""

    def __init__(self, targets, scale=1.0):
        super().__init__()
        self.element = nn.Embedding(119, targets)
        self.radius = nn.Linear(1, targets)
        self.scale = scale

    def forward(self, pos, z):
        values = self.element(z) + self.radius(pos.square().sum(-1, keepdim=True))
        return self.scale * (values * (z > 0)[..., None]).sum(1) / 20


class Fixed(nn.Module):
    """Has no argument for the number of targets; the output is always one number."""

    def __init__(self, *, width=4):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, width), nn.Tanh(), nn.Linear(width, 1))

    def forward(self, pos, z):
        return (self.layers(pos) * (z > 0)[..., None]).sum(1)


class Bare(nn.Module):
    """Has no constructor and no parameters."""

    def forward(self, pos, z):
        return (pos.square().sum(-1) * (z > 0)).sum(1, keepdim=True)


class Flat(Net):
    """Returns outputs without the axis of targets, which is an error."""

    def forward(self, pos, z):
        return super().forward(pos, z)[:, 0]


class Small(Point):
    """A Model outside molinv, for small molecules only."""

    max_atoms = 12


def build(targets):
    return torch.nn.Linear(3, targets)
