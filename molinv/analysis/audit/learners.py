"""What can be learned from stored orientations alone: that they are stored, and the target.

A classifier tells stored molecules from turned ones, and a regressor predicts values from the
principal axes, which say nothing of a molecule but how it lies. Both are kernel ridge regressions,
judged on molecules that they were not fitted to. Source of the tests: "Are my molecules aligned?"
(ICLR 2026, zrCGvLOrTL).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from scipy.stats import binomtest, pearsonr
from torch import Tensor

from ...groups import SO3
from ..subject import Structures
from .uniformity import atom_directions, principal_axes

FEWEST = 100  # molecules, half of which are fitted to
MOST = 2000
RIDGE = 1e-2  # per molecule


class Learned(NamedTuple):
    """A share or a correlation on held-out molecules, its interval, and the p-value of chance."""

    value: float
    low: float
    high: float
    p: float
    molecules: int


def told_apart(structures: Structures, atoms: int, seed: int) -> Learned | None:
    """How often a stored molecule looks more like a stored one than itself turned; 1/2 by chance.

    None of too few molecules.
    """
    m = min(len(structures), MOST)
    if m < FEWEST:
        return None
    draw = torch.Generator().manual_seed(seed)
    turns = SO3().double().haar(m, draw)
    views = []
    for g in (None, turns):
        pos = [
            p.double() if g is None else p.double() @ g[i].T
            for i, p in enumerate(structures.pos[:m])
        ]
        views.append(features(Structures(pos, structures.z[:m]), atoms))
    one, other = torch.randperm(m, generator=draw).chunk(2)
    labels = torch.cat([torch.ones(len(one)), -torch.ones(len(one))]).double()
    fit = torch.cat([views[0][one], views[1][one]])
    stored, turned = (predicted(fit, labels[:, None], v[other])[:, 0] for v in views)
    wins = int((stored > turned).sum())
    found: Any = binomtest(wins, len(other))
    ends = found.proportion_ci()
    return Learned(wins / len(other), ends.low, ends.high, found.pvalue, len(other))


def from_axes(structures: Structures, y: Float[Tensor, " m"], seed: int) -> Learned | None:
    """The correlation of values with what the principal axes predict; None of too few molecules."""
    m = min(len(structures), MOST)
    if m < FEWEST or not bool(y[:m].isfinite().all()) or float(y[:m].std()) == 0:
        return None
    axes, there = principal_axes(Structures(structures.pos[:m], structures.z[:m]))
    seen = (axes[..., None] * axes[..., None, :] * there[..., None, None]).flatten(1)
    one, other = torch.randperm(m, generator=torch.Generator().manual_seed(seed)).chunk(2)
    scaled = ((y[:m] - y[one].mean()) / y[one].std().clamp_min(1e-300))[:, None].double()
    found = predicted(seen[one], scaled[one], seen[other])[:, 0]
    both = found.numpy(), scaled[other, 0].numpy()
    result: Any = pearsonr(*both)
    above: Any = pearsonr(*both, alternative="greater")
    ends = result.confidence_interval()
    return Learned(float(result.statistic), ends.low, ends.high, above.pvalue, len(other))


def features(structures: Structures, atoms: int) -> Float[Tensor, "m d"]:
    """How molecules lie: principal axes without sign, and directions to the first atoms."""
    axes, there = principal_axes(structures)
    u, _ = atom_directions(structures, atoms)
    squares = (axes[..., None] * axes[..., None, :] * there[..., None, None]).flatten(1)
    return torch.cat([squares, u.flatten(1)], 1)


def predicted(
    fit: Float[Tensor, "n d"], y: Float[Tensor, "n t"], at: Float[Tensor, "k d"]
) -> Float[Tensor, "k t"]:
    """Kernel ridge regression with Gaussian kernels about as wide as points are apart."""
    away = torch.cdist(fit, fit).square()
    width = away.median().clamp_min(1e-12)
    kernel = (-away / width).exp()
    kernel.diagonal().add_(RIDGE * len(fit) ** 0.5)
    return (-torch.cdist(at, fit).square() / width).exp() @ torch.linalg.solve(kernel, y)
