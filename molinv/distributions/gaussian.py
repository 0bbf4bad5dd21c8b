"""A Gaussian in the algebra, whose axes are learned: they need not be x, y and z."""

from __future__ import annotations

from math import log, pi

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..groups.base import Group, drawn_on
from .base import DELTA, InAlgebra, relative_entropy, sobol
from .bounded import Numbers

_POINTS = 2**13


class Gaussian(InAlgebra):
    """xi = L z with z normal: a full covariance L L^T whose standard deviations are capped.

    L is diag(s) times a lower triangular matrix with rows of length one, so that s_i is the
    standard deviation along generator i, in its unit. The mean is zero, because the network can
    absorb a mean. Caps default to half of the group's, so that two standard deviations reach
    the group's cap. A Gaussian never becomes Haar: on SO3 its KL divergence from Haar falls to
    0.02 nats at 1.5 rad and rises again for larger widths.
    """

    def __init__(
        self,
        group: Group,
        init: Numbers = 0.05,
        cap: Numbers | None = None,
        *,
        reward: str = "entropy",
        learn: bool = True,
    ):
        super().__init__(group, init, cap, reward=reward, learn=learn)
        self._lower = nn.Parameter(torch.zeros(group.k, group.k), requires_grad=learn)

    def widest(self) -> list[float]:
        """The default caps: half of the group's."""
        return [cap / 2 for cap in self.group.caps]

    def factor(self) -> Float[Tensor, "k k"]:
        """L, lower triangular."""
        eye = torch.eye(self.group.k, dtype=self._lower.dtype, device=self._lower.device)
        rows = self._lower.tril(-1) + eye
        return self._scales()[:, None] * (rows / rows.norm(dim=-1, keepdim=True))

    def covariance(self) -> Float[Tensor, "k k"]:
        """L L^T, in the products of the generators' units."""
        return self.factor() @ self.factor().mT

    def noise(self, n: int, generator: torch.Generator | None = None) -> Float[Tensor, "n k"]:
        """Standard normal numbers."""
        return torch.randn(n, self.group.k, **drawn_on(self.group, generator))

    def transform(self, noise: Float[Tensor, "n k"]) -> Float[Tensor, "n d d"]:
        """exp(L z)."""
        return self.group.exp(self.coefficients(noise))

    def coefficients(self, noise: Float[Tensor, "n k"]) -> Float[Tensor, "n k"]:
        """L z."""
        factor = self.factor()
        return noise.to(factor) @ factor.mT

    def coverage(self) -> float | None:
        """The Haar measure of the identity's component, all of which it reaches.

        None if the group is not compact.
        """
        elements = self.group.elements
        return None if not self.group.compact else 1.0 if elements is None else 1 / len(elements)

    def entropy(self) -> Tensor:
        """Entropy in nats, from quasi-random points; valid for any width."""
        z = torch.special.ndtri(sobol(_POINTS, self.group.k, self._lower))
        return relative_entropy(self.group, self.log_density, self.coefficients(z))

    def log_density(self, xi: Float[Tensor, "*b k"]) -> Float[Tensor, "*b"]:
        """The log of the density in the algebra."""
        factor = self.factor()
        whitened = torch.linalg.solve_triangular(factor, xi[..., None], upper=False)
        scale = factor.diagonal().log().sum() + 0.5 * self.group.k * log(2 * pi)
        return -0.5 * whitened.square().sum((-1, -2)) - scale

    def entropy_reward(self) -> Tensor:
        """1/2 log det(C + delta^2), with the covariance C in units of the caps; 0 at the caps."""
        factor = self.factor() / self._scales.cap[:, None]
        eye = torch.eye(self.group.k, dtype=factor.dtype, device=factor.device)
        widest = self.group.k * log(1 + DELTA**2)
        return 0.5 * (torch.logdet(factor @ factor.mT + DELTA**2 * eye) - widest)

    def share_reward(self) -> Tensor:
        """The mean standard deviation along the covariance's principal axes, in units of caps."""
        return torch.linalg.svdvals(self.factor() / self._scales.cap[:, None]).mean()
