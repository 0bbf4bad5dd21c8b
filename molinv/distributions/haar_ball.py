"""Uniform with respect to Haar on a ball around the identity."""

from __future__ import annotations

from math import gamma, pi

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import InputError
from ..groups.base import Group, drawn_on
from .base import DELTA, Capped, Extent
from .bounded import Bounded

# Gauss-Legendre rule on [0, 1]: exact to rounding for Haar densities within the group's radius
_NODES, _WEIGHTS = (torch.from_numpy(x) / 2 for x in np.polynomial.legendre.leggauss(12))
_NODES += 0.5


def ball_root(group: Group, radius: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """F(t)^(1/k), where F(t) is the Haar measure of the geodesic ball of radius t (rad).

    The root is nearly linear in t. F is (t - sin t) / pi on SO3 and t / pi on SO2. In general F
    is t^k A int_0^1 s^(k-1) haar(t s) ds, where A is the area of the unit sphere and haar(t) the
    density at distance t from the identity.
    """
    nodes, weights = _NODES.to(radius), _WEIGHTS.to(radius)
    mean = (_density(group, radius[..., None] * nodes) * weights * nodes ** (group.k - 1)).sum(-1)
    return radius * (_area(group.k) * mean) ** (1 / group.k)


def ball_measure(group: Group, radius: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """F(t), the Haar measure of the geodesic ball of radius t."""
    return ball_root(group, radius) ** group.k


def ball_slope(
    group: Group, radius: Float[Tensor, "*n"], root: Float[Tensor, "*n"]
) -> Float[Tensor, "*n"]:
    """The derivative of `ball_root`, (A haar(t) / k) (t / root)^(k-1)."""
    return _area(group.k) / group.k * _density(group, radius) * (radius / root) ** (group.k - 1)


def ball_quantile(
    group: Group, share: Float[Tensor, "n 1"], radius: Float[Tensor, " 1"]
) -> Float[Tensor, "n 1"]:
    """The angle whose ball has the fraction `share` of the measure of the ball of `radius`.

    Found by Newton's method on `ball_root`. The derivative by the radius is taken implicitly.
    """
    top = radius.detach().double()
    part = share.double().clamp_min(1e-30) ** (1 / group.k)
    top_root = ball_root(group, top)
    goal, angle = part * top_root, part * top
    for _ in range(4):
        root = ball_root(group, angle)
        angle = angle - (root - goal) / ball_slope(group, angle, root)
        angle = torch.minimum(angle.clamp_min(1e-60), top)
    slope = part * ball_slope(group, top, top_root) / ball_slope(group, angle, goal)
    return (angle + slope * (radius - radius.detach())).to(radius)


class HaarBall(Capped):
    """Haar restricted to the ball of elements within t_max of the identity; t_max is learnable.

    The default cap of t_max is the group's radius, pi on SO3 and SO2: there the distribution is
    exactly Haar. Its entropy relative to Haar is log F(t_max), where F is `ball_measure`. Raises
    InputError for a group without a radius, and for a cap outside (0, radius].
    """

    def __init__(
        self,
        group: Group,
        init: float = 0.05,
        cap: float | None = None,
        *,
        reward: str = "entropy",
        learn: bool = True,
    ):
        super().__init__(group, reward)
        whole = group.radius
        if whole is None:
            raise InputError(
                f"HaarBall: expected SO3, SO2 or another group with a radius, got {group}; use "
                "UniformBox there."
            )
        cap = whole if cap is None else cap
        if not 0 < cap <= whole + 1e-6:
            raise InputError(
                f"HaarBall: expected a cap above 0 and at most {whole:.6g} rad, where the ball is "
                f"all of {group}, got {cap}."
            )
        self._radius = Bounded(["radius"], [cap], init, learn)

    def noise(self, n: int, generator: torch.Generator | None = None) -> Float[Tensor, "n m"]:
        """(n, 1 + k): a uniform number for the angle, and a unit vector for the axis."""
        where = drawn_on(self.group, generator)
        axis = torch.randn(n, self.group.k, **where)
        axis = axis / axis.norm(dim=-1, keepdim=True).clamp_min(1e-12)
        return torch.cat([torch.rand(n, 1, **where), axis], -1)

    def mirrored(self, noise: Float[Tensor, "n m"]) -> Float[Tensor, "n m"]:
        """The same angle about the opposite axis."""
        return torch.cat([noise[:, :1], -noise[:, 1:]], -1)

    def transform(self, noise: Float[Tensor, "n m"]) -> Float[Tensor, "n d d"]:
        """exp(angle(u) axis)."""
        radius = self._radius()
        angle = ball_quantile(self.group, noise[:, :1].to(radius), radius)
        return self.group.exp(angle * noise[:, 1:].to(radius))

    def extent(self) -> dict[str, Extent]:
        """The radius of the ball."""
        unit = self.group.units[0]
        return {"radius": Extent(self._radius()[0], unit, float(self._radius.cap))}

    def coverage(self) -> float:
        """F(t_max)."""
        return min(float(ball_measure(self.group, self._radius().detach())), 1.0)

    def entropy(self) -> Tensor:
        """log F(t_max), computed from `ball_root`, because F underflows for a tiny ball."""
        return self.group.k * ball_root(self.group, self._radius()).log()[0]

    def shares(self) -> Float[Tensor, " 1"]:
        """t_max in units of its cap."""
        return self._radius() / self._radius.cap

    def entropy_reward(self) -> Tensor:
        """k log of the k-th root of F, smoothed: its gradient does not vanish on a narrow ball."""
        share = ball_root(self.group, self._radius()) / ball_root(self.group, self._radius.cap)
        return self.group.k * ((share + DELTA) / (1 + DELTA)).log()[0]


def _density(group: Group, radius: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """The Haar density at a distance from the identity; here no direction changes it."""
    along = torch.zeros(group.k).to(radius)
    along[0] = 1
    return group.haar_density(radius[..., None] * along)


def _area(k: int) -> float:
    """The area of the unit sphere in k dimensions."""
    return 2 * pi ** (k / 2) / gamma(k / 2)
