"""Directions of stored molecules, and two tests of uniformity over the sphere.

Source of the tests: Mardia and Jupp, Directional Statistics (2000), sections 10.4.1 and 10.7.1.
"""

from __future__ import annotations

import torch
from ase.data import atomic_masses
from jaxtyping import Bool, Float
from scipy.stats import chi2
from torch import Tensor

from ..subject import Structures

_APART = 1e-3  # moments closer than this fraction of the largest leave their axes undetermined
_NEAR = 1e-2  # angstrom; an atom at the centroid has no direction


def rayleigh(u: Float[Tensor, "*b n 3"]) -> Float[Tensor, "*b"]:
    """The p-value of uniformity of unit vectors u, against a mean direction.

    The statistic is 3 n |mean|^2, with the correction that makes it chi-squared with 3 degrees of
    freedom to order 1/n^2 (equation 10.4.6).
    """
    n = u.shape[-2]
    s = 3 * n * u.mean(-2).square().sum(-1)
    return _upper((1 - 1 / (2 * n)) * s + s.square() / (10 * n), 3)


def bingham(u: Float[Tensor, "*b n 3"]) -> Float[Tensor, "*b"]:
    """The p-value of uniformity of axes u, unit vectors whose sign has no meaning.

    15/2 n (tr T^2 - 1/3), with T the mean of u u^T, is chi-squared with 5 degrees of freedom
    (equation 10.7.2; Bingham 1974).
    """
    n = u.shape[-2]
    square = (u.mT @ u / n).square().sum((-2, -1))
    return _upper(7.5 * n * (square - 1 / 3), 5)


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


def _upper(statistic: Tensor, freedom: int) -> Tensor:
    return torch.as_tensor(chi2.sf(statistic.numpy(), freedom))
