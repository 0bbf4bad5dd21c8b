"""How far a distribution on rotations is from Haar, with Monte-Carlo standard errors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import pi, sqrt

import torch
from jaxtyping import Float
from torch import Tensor

from ...distributions import Composed, Distribution, Gaussian, UniformBox
from ...distributions.base import relative_entropy
from ...groups.so3 import to_quaternion

# of samples; standard errors come from differences between batches, of which there are many
# because a batch's distance has a skew law near Haar
BATCHES, SIZE = 40, 500
HAAR_DISTANCE = 16 * sqrt(2) / (3 * pi)  # E|A - B| of a Haar rotation B and any A, Frobenius


def rotations(mu: Distribution, n: int, seed: int) -> Float[Tensor, "n 3 3"] | None:
    """The rotations in n samples, float64; None where the samples do not rotate space.

    A reflected rotation counts as the rotation it is -1 times.
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


def angles(g: Float[Tensor, "n 3 3"]) -> Float[Tensor, " n"]:
    """Rotation angles, from 0 to pi rad."""
    q = to_quaternion(g)
    return 2 * torch.atan2(q[:, 1:].norm(dim=-1), q[:, 0])


def haar_angle_density(t: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """(1 - cos t) / pi, of the angle of a Haar rotation, per rad."""
    return (1 - t.cos()) / pi


def energy_distance(batches: Sequence[Float[Tensor, "n 3 3"]]) -> tuple[float, float]:
    """2 E|A - B| - E|A - A'| - E|B - B'| for samples A and Haar B, and its standard error.

    With the Frobenius norm on matrices. |A - B| has the same mean for every A, since A^T B is Haar
    too, and that is E|B - B'|: only the samples' own distances are estimated, by a U-statistic.
    Never negative in truth, and zero for Haar alone (Szekely and Rizzo 2013).
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
    generator, found = torch.Generator().manual_seed(seed), []
    with torch.no_grad():
        if isinstance(mu, UniformBox):
            factor = torch.diag(_widths(mu))
            log_density = _box_density(_widths(mu))
        else:
            factor = mu.factor().double()
            zero = torch.zeros(mu.group.k).double()
            log_density = torch.distributions.MultivariateNormal(zero, scale_tril=factor).log_prob
        for _ in range(BATCHES):
            xi = mu.noise(4 * SIZE, generator).double() @ factor.mT
            found.append(relative_entropy(mu.group, log_density, xi))
    return _mean(torch.stack(found))


def coverage_error(mu: Distribution, coverage: float) -> float:
    """The standard error of a box's coverage, a mean over points; the others' is exact."""
    if not isinstance(mu, UniformBox) or coverage >= 1:
        return 0.0
    with torch.no_grad():
        widths, found = _widths(mu), []
        for batch in range(BATCHES):
            generator = torch.Generator().manual_seed(batch)
            xi = mu.noise(4 * SIZE, generator).double() * widths
            pre = mu.group.preimages(xi, float(widths.norm()))
            copies = (pre.abs() <= widths * (1 + 1e-9)).all(-1).sum(0)
            found.append((2 * widths).prod() * (mu.group.haar_density(xi) / copies).mean())
    return _mean(torch.stack(found))[1]


def _mean(batches: Float[Tensor, " n"]) -> tuple[float, float]:
    """The mean of batches and its standard error."""
    return float(batches.mean()), float(batches.std() / len(batches) ** 0.5)


def _widths(mu: UniformBox) -> Float[Tensor, " k"]:
    return torch.stack([e.value for e in mu.extent().values()]).detach().double()


def _box_density(widths: Float[Tensor, " k"]) -> Callable[[Tensor], Tensor]:
    """The logarithm of a box's density in the algebra."""

    def log_density(at: Tensor) -> Tensor:
        inside = (at.abs() <= widths * (1 + 1e-9)).all(-1)
        return torch.where(inside, -(2 * widths).log().sum(), -torch.inf)

    return log_density
