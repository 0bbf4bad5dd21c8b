"""Tests of stored orientations: of uniformity, and of what can be learned from them.

Uniformity: Mardia and Jupp, Directional Statistics (2000), sections 10.4.1 and 10.7.1. A classifier
tells stored molecules from rotated ones, and a regressor predicts values from the principal axes,
which contain nothing but the orientation. Both are kernel ridge regressions, tested on held-out
molecules. Source: "Are my molecules aligned?" (ICLR 2026, zrCGvLOrTL).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from ase.data import atomic_masses
from jaxtyping import Bool, Float
from scipy.stats import binomtest, chi2, pearsonr
from torch import Tensor

from ...groups import SO3
from ..subject import Structures

FEWEST = 100  # molecules; half of them are held out
MOST = 2000
RIDGE = 1e-2  # times the square root of the number of molecules
_APART = 1e-3  # moments closer than this fraction of the largest leave their axes undetermined
_NEAR = 1e-2  # angstrom; an atom at the centroid has no direction


def rayleigh(u: Float[Tensor, "*b n 3"]) -> Float[Tensor, "*b"]:
    """The p-value of uniformity of unit vectors u, against a mean direction.

    The statistic is 3 n |mean|^2, with the correction that makes it chi-squared with 3 degrees of
    freedom to order 1/n^2 (equation 10.4.6).
    """
    n = u.shape[-2]
    s = 3 * n * u.mean(-2).square().sum(-1)
    corrected = (1 - 1 / (2 * n)) * s + s.square() / (10 * n)
    return torch.as_tensor(chi2.sf(corrected.numpy(), 3))


def bingham(u: Float[Tensor, "*b n 3"]) -> Float[Tensor, "*b"]:
    """The p-value of uniformity of axes u, unit vectors whose sign has no meaning.

    15/2 n (tr T^2 - 1/3), with T the mean of u u^T, is chi-squared with 5 degrees of freedom
    (equation 10.7.2; Bingham 1974).
    """
    n = u.shape[-2]
    square = (u.mT @ u / n).square().sum((-2, -1))
    return torch.as_tensor(chi2.sf(7.5 * n * (square - 1 / 3).numpy(), 5))


def principal_axes(structures: Structures) -> tuple[Float[Tensor, "m 3 3"], Bool[Tensor, "m 3"]]:
    """Unit principal axes (rows) of the inertia tensors, smallest moment first, and a mask.

    The mask is False for axes with nearly equal moments, which are undetermined (symmetric tops,
    single atoms).
    """
    masses = torch.from_numpy(atomic_masses)
    tensors = []
    for pos, z in zip(structures.pos, structures.z, strict=True):
        weight = masses[z][:, None]
        local = pos.double() - (weight * pos).sum(0) / weight.sum()
        second = (weight * local).mT @ local
        tensors.append(second.trace() * torch.eye(3, dtype=second.dtype) - second)
    moments, vectors = torch.linalg.eigh(torch.stack(tensors))
    gap = moments.diff(dim=1) > _APART * moments[:, 2:]
    return vectors.mT, torch.stack([gap[:, 0], gap[:, 0] & gap[:, 1], gap[:, 1]], 1)


def atom_directions(
    structures: Structures, atoms: int
) -> tuple[Float[Tensor, "m a 3"], Bool[Tensor, "m a"]]:
    """Unit vectors from the centroid to the first `atoms` atoms, and a mask.

    The mask is False for atoms that the molecule lacks and atoms at the centroid.
    """
    u = torch.zeros(len(structures), atoms, 3, dtype=torch.float64)
    for row, pos in zip(u, structures.pos, strict=True):
        row[: len(pos)] = pos[:atoms].double() - pos.double().mean(0)
    length = u.norm(dim=-1)
    there = length > _NEAR
    return u / torch.where(there, length, torch.inf)[..., None], there


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
