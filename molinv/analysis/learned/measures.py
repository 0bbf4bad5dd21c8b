"""How far a distribution on rotations is from Haar, with Monte-Carlo standard errors."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from math import pi, sqrt

import torch
from jaxtyping import Float
from torch import Tensor

from ...distributions import Composed, Distribution, Gaussian, UniformBox
from ...distributions.base import relative_entropy

# samples come in batches, whose differences give standard errors: many batches, because the energy
# distance of one has a skewed distribution near Haar
BATCHES, SIZE = 40, 500
HAAR_DISTANCE = 16 * sqrt(2) / (3 * pi)  # E|A - B| of a Haar rotation B and any A, Frobenius


def rotations(mu: Distribution, n: int, seed: int) -> Float[Tensor, "n 3 3"] | None:
    """The rotations in n samples, float64; None if the samples do not rotate space.

    A reflection is replaced by -1 times itself, a rotation.
    """
    with torch.no_grad():
        g = mu.rsample(n, torch.Generator().manual_seed(seed))
    linear = mu.group.linear(g).double()
    if linear.shape[-1] != 3:
        return None
    eye = torch.eye(3, dtype=torch.float64)
    if (linear @ linear.mT - eye).abs().max() > 1e-4:
        return None
    return linear * torch.linalg.det(linear).sign()[:, None, None]


def haar_angle_density(t: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """Density of the angle of a Haar rotation, (1 - cos t) / pi, per rad."""
    return (1 - t.cos()) / pi


def energy_distance(batches: Sequence[Float[Tensor, "n 3 3"]]) -> tuple[float, float]:
    """2 E|A - B| - E|A - A'| - E|B - B'| for samples A and Haar B, and its standard error.

    |.| is the Frobenius norm. A^T B is Haar for every A, so E|A - B| = E|B - B'| is known, and only
    the samples' own distances are estimated, by a U-statistic. The true distance is zero for Haar
    and positive otherwise (Szekely and Rizzo 2013).
    """
    distances = []
    for batch in batches:
        flat, n = batch.flatten(1), len(batch)
        distances.append(torch.cdist(flat, flat).sum() / (n * (n - 1)))
    return _mean(HAAR_DISTANCE - torch.stack(distances))


def monte_carlo_entropy(mu: Distribution, seed: int) -> tuple[float, float] | None:
    """The entropy from fresh samples in nats, and its standard error; None where it is exact."""
    if isinstance(mu, Composed):
        parts = [(part, monte_carlo_entropy(part, seed)) for part in (mu.a, mu.b)]
        if all(drawn is None for _, drawn in parts):
            return None
        both = [(float(part.entropy().detach()), 0.0) if e is None else e for part, e in parts]
        return sum(value for value, _ in both), sum(error**2 for _, error in both) ** 0.5
    if not isinstance(mu, UniformBox | Gaussian):
        return None
    mu, generator = deepcopy(mu).double(), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        drawn = (mu.coefficients(mu.noise(4 * SIZE, generator)) for _ in range(BATCHES))
        found = [relative_entropy(mu.group, mu.log_density, xi) for xi in drawn]
    return _mean(torch.stack(found))


def _mean(batches: Float[Tensor, " n"]) -> tuple[float, float]:
    """The mean of batches and its standard error."""
    return float(batches.mean()), float(batches.std() / len(batches) ** 0.5)
