"""Radial features that the models share."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

SOFT = 0.1  # angstrom: displacement / (distance + SOFT) is smooth where two atoms meet


class Gaussians(nn.Module):
    """exp(-((r - c) / width)^2) on evenly spaced centres from `start` to `stop` angstrom."""

    centres: Tensor

    def __init__(self, count: int = 32, start: float = 0.5, stop: float = 6.0, width: float = 0.25):
        super().__init__()
        self.register_buffer("centres", torch.linspace(start, stop, count), persistent=False)
        self.width = width

    def forward(self, distance: Float[Tensor, "*b"]) -> Float[Tensor, "*b k"]:
        return ((distance[..., None] - self.centres) / self.width).square().neg().exp()


def safe_norm(vector: Float[Tensor, "*b 3"]) -> Float[Tensor, "*b"]:
    """The length in angstrom, differentiable (twice) at zero, where it is 1e-6."""
    return (vector.square().sum(-1) + 1e-12).sqrt()
