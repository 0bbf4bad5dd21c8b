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
# since near Haar a batch's distance has a skew law
BATCHES, SIZE = 40, 500
HAAR_DISTANCE = 16 * sqrt(2) / (3 * pi)  # E|A - B| of a Haar rotation B and any A, Frobenius


def rotations(mu: Distribution, n: int, seed: int) -> Float[Tensor, "n 3 3"] | None:
    """The rotations in n samples, float64; None where what acts on space is no rotation.

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
    means = []
    for batch in batches:
        flat, n = batch.flatten(1), len(batch)
        means.append(torch.cdist(flat, flat).sum() / (n * (n - 1)))
    every = HAAR_DISTANCE - torch.stack(means)
    return float(every.mean()), float(every.std() / len(every) ** 0.5)


def monte_carlo_entropy(mu: Distribution, seed: int) -> tuple[float, float] | None:
    """The entropy from fresh samples in nats, and its standard error; None where it is exact."""
    generator = torch.Generator().manual_seed(seed)
    found = []
    if isinstance(mu, Composed):
        parts = [monte_carlo_entropy(part, seed) for part in (mu.a, mu.b)]
        exact = [
            float(p.entropy().detach())
            for p, e in zip((mu.a, mu.b), parts, strict=True)
            if e is None
        ]
        drawn = [e for e in parts if e is not None]
        total = sum(exact) + sum(value for value, _ in drawn)
        return (total, sum(e**2 for _, e in drawn) ** 0.5) if drawn else None
    if not isinstance(mu, UniformBox | Gaussian):
        return None
    with torch.no_grad():
        for _ in range(BATCHES):
            noise = mu.noise(4 * SIZE, generator).double()
            if isinstance(mu, UniformBox):
                widths = _widths(mu)
                found.append(relative_entropy(mu.group, _box_density(widths), noise * widths))
            else:
                factor = mu.factor().double()
                law = torch.distributions.MultivariateNormal(
                    torch.zeros(mu.group.k).double(), scale_tril=factor
                )
                found.append(relative_entropy(mu.group, law.log_prob, noise @ factor.mT))
    every = torch.stack(found)
    return float(every.mean()), float(every.std() / BATCHES**0.5)


def _widths(mu: UniformBox) -> Float[Tensor, " k"]:
    return torch.stack([e.value for e in mu.extent().values()]).detach().double()


def _box_density(widths: Float[Tensor, " k"]) -> Callable[[Tensor], Tensor]:
    """The logarithm of a box's density in the algebra."""

    def log_density(at: Tensor) -> Tensor:
        inside = (at.abs() <= widths * (1 + 1e-9)).all(-1)
        return torch.where(inside, -(2 * widths).log().sum(), -torch.inf)

    return log_density


def coverage_error(mu: Distribution, coverage: float) -> float:
    """Of a box's coverage, which averages a density over points; the others' is exact."""
    if not isinstance(mu, UniformBox) or coverage >= 1:
        return 0.0
    with torch.no_grad():
        widths = _widths(mu)
        found = []
        for batch in range(BATCHES):
            generator = torch.Generator().manual_seed(batch)
            xi = mu.noise(4 * SIZE, generator).double() * widths
            pre = mu.group.preimages(xi, float(widths.norm()))
            copies = (pre.abs() <= widths * (1 + 1e-9)).all(-1).sum(0)
            found.append((2 * widths).prod() * (mu.group.haar_density(xi) / copies).mean())
    return float(torch.stack(found).std() / BATCHES**0.5)
