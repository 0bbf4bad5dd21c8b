"""What can be learned from stored orientations alone.

A classifier tells stored molecules from rotated ones, and a regressor predicts values from the
principal axes, which contain nothing but the orientation. Both are kernel ridge regressions, tested
on held-out molecules. Source of the tests: "Are my molecules aligned?" (ICLR 2026, zrCGvLOrTL).
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

FEWEST = 100  # molecules; half of them are held out
MOST = 2000
RIDGE = 1e-2  # times the square root of the number of molecules


class Learned(NamedTuple):
    """A fraction or a correlation on held-out molecules, its interval and p-value."""

    value: float
    low: float
    high: float
    p: float
    molecules: int


def told_apart(structures: Structures, atoms: int, seed: int) -> Learned | None:
    """How often the classifier tells a molecule from a rotated copy of it; 1/2 by chance.

    None for too few molecules.
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
    """The correlation of values with predictions from principal axes; None for too few."""
    m = min(len(structures), MOST)
    if m < FEWEST or not bool(y[:m].isfinite().all()) or float(y[:m].std()) == 0:
        return None
    seen = axes_without_sign(structures.first(m))
    one, other = torch.randperm(m, generator=torch.Generator().manual_seed(seed)).chunk(2)
    scaled = ((y[:m] - y[one].mean()) / y[one].std().clamp_min(1e-300))[:, None].double()
    found = predicted(seen[one], scaled[one], seen[other])[:, 0]
    both = found.numpy(), scaled[other, 0].numpy()
    result: Any = pearsonr(*both)
    above: Any = pearsonr(*both, alternative="greater")
    ends = result.confidence_interval()
    return Learned(float(result.statistic), ends.low, ends.high, above.pvalue, len(other))


def features(structures: Structures, atoms: int) -> Float[Tensor, "m d"]:
    """Orientations of molecules: principal axes without sign, directions to the first atoms."""
    directions, _ = atom_directions(structures, atoms)
    return torch.cat([axes_without_sign(structures), directions.flatten(1)], 1)


def axes_without_sign(structures: Structures) -> Float[Tensor, "m 27"]:
    """The outer products u u^T of the principal axes, 0 for undetermined axes."""
    axes, there = principal_axes(structures)
    return (axes[..., None] * axes[..., None, :] * there[..., None, None]).flatten(1)


def predicted(
    fit: Float[Tensor, "n d"], y: Float[Tensor, "n t"], at: Float[Tensor, "k d"]
) -> Float[Tensor, "k t"]:
    """Kernel ridge regression, with Gaussian kernels as wide as the median distance."""
    away = torch.cdist(fit, fit).square()
    width = away.median().clamp_min(1e-12)
    kernel = (-away / width).exp()
    kernel.diagonal().add_(RIDGE * len(fit) ** 0.5)
    return (-torch.cdist(at, fit).square() / width).exp() @ torch.linalg.solve(kernel, y)
