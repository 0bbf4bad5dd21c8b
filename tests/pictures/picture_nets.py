"""Torch modules outside molinv, for tests of models that are given as package.module:Name."""

import torch
from torch import nn


class Row(nn.Module):
    def __init__(self, targets, scale=1.0):
        super().__init__()
        self.scale, self.read = scale, nn.Linear(3, targets)

    def forward(self, x):
        return self.read(self.scale * x.mean((-2, -1)))


class PerPixel(nn.Conv2d):
    def __init__(self, targets):
        super().__init__(3, targets, 1)


class Wrong(nn.Module):
    def forward(self, x):
        return torch.zeros(len(x))
