"""Angles between rotations, and means of those that are close to each other."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from .so3 import SO3


def distance(a: Float[Tensor, "*b 3 3"], b: Float[Tensor, "*b 3 3"]) -> Float[Tensor, "*b"]:
    """The angle (rad) of the rotation from a to b; shapes are broadcast."""
    chord = (a - b).square().sum((-1, -2)).sqrt() / 8**0.5  # the sine of half the angle
    return 2 * chord.clamp(max=1).asin()


def merge(
    rotations: Float[Tensor, "n 3 3"],
    tolerance: float,
    weights: Float[Tensor, " n"] | None = None,
) -> tuple[Float[Tensor, "m 3 3"], Float[Tensor, " m"]]:
    """Weighted means of rotations that are within `tolerance` (rad), and their summed weights.

    The rotation of largest weight (the first of several) collects those close to it, then the
    largest of the rest, and so on. The results are in this order.
    """
    weights = torch.ones(len(rotations)).to(rotations) if weights is None else weights
    order = weights.argsort(descending=True, stable=True)
    g, w = rotations[order], weights[order]
    free, so3 = torch.ones(len(g), dtype=torch.bool, device=g.device), SO3().to(g)
    means, sums = [g[:0]], [w[:0]]
    for i in range(len(g)):
        if free[i]:
            near = free & (distance(g, g[i]) <= tolerance)
            near[i] = True
            free &= ~near
            total = w[near].sum()
            away = (w[near, None] * so3.log(g[i].mT @ g[near])).sum(0)
            means.append((g[i] @ so3.exp(away / torch.where(total == 0, 1.0, total)))[None])
            sums.append(total[None])
    return torch.cat(means), torch.cat(sums)
