"""Uniform with respect to Haar on a ball around the identity."""

from __future__ import annotations

from math import pi

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import InputError
from ..groups.base import Group
from ..groups.so2 import SO2
from ..groups.so3 import SO3
from ..groups.trig import excess_over, versine_over
from .base import Distribution, Extent
from .bounded import Bounded

_DELTA = 0.05


def ball_measure(radius: Tensor, k: int) -> Tensor:
    """Haar measure of the geodesic ball: (t - sin t) / pi on SO3 (k = 3), t / pi on SO2."""
    return radius / pi if k == 1 else radius**3 * excess_over(radius**2) / pi


def ball_quantile(share: Tensor, radius: Tensor, k: int) -> Tensor:
    """The angle whose ball has `share` of the measure of the ball of `radius`.

    Newton's method on the cube root of the measure, which is nearly linear in the angle. The
    derivative in the radius is the implicit one, u F'(t_max) / F'(theta).
    """
    if k == 1:
        return share * radius
    top = radius.detach().double()
    goal = share.double().clamp_min(1e-30) * ball_measure(top, k)
    angle = (6 * pi * goal) ** (1 / 3)
    for _ in range(8):
        value = ball_measure(angle, k)
        slope = angle**2 * versine_over(angle**2) / pi
        root = (value / goal) ** (1 / 3)
        angle = (angle - 3 * value * (1 - 1 / root) / slope).clamp(1e-60, pi)
    ratio = _measure_over_density(angle) / _measure_over_density(top)
    return (angle + ratio * (radius - radius.detach())).to(radius)


def _measure_over_density(t: Tensor) -> Tensor:
    """F / F', about t / 3 near zero."""
    return t * excess_over(t**2) / versine_over(t**2)


class HaarBall(Distribution):
    """Haar restricted to the rotations by at most t_max (rad), with t_max learnable below pi.

    Exactly Haar at pi. Its entropy relative to Haar is log F(t_max). SO3 and SO2 only.
    """

    def __init__(
        self,
        group: Group,
        init: float = 0.05,
        cap: float = pi,
        *,
        reward: str = "entropy",
        learn: bool = True,
    ):
        super().__init__(group, reward)
        if not isinstance(group, SO2 | SO3):
            raise InputError(f"HaarBall: expected SO3 or SO2, got {group}; use UniformBox there.")
        if not 0 < cap <= pi:
            raise InputError(f"HaarBall: expected a cap above 0 and at most pi rad, got {cap}.")
        self._radius = Bounded(["radius"], [cap], init, learn)

    def noise(self, n: int, generator: torch.Generator | None = None) -> Float[Tensor, "n m"]:
        """A uniform number for the angle, and a direction."""
        where = self._where(generator)
        axis = torch.randn(n, self.group.k, **where)
        axis = axis / axis.norm(dim=-1, keepdim=True).clamp_min(1e-12)
        return torch.cat([torch.rand(n, 1, **where), axis], -1)

    def mirrored(self, noise: Float[Tensor, "n m"]) -> Float[Tensor, "n m"]:
        """The same angle about the opposite direction."""
        return torch.cat([noise[:, :1], -noise[:, 1:]], -1)

    def transform(self, noise: Float[Tensor, "n m"]) -> Float[Tensor, "n d d"]:
        radius = self._radius()
        angle = ball_quantile(noise[:, :1].to(radius), radius, self.group.k)
        return self.group.exp(angle * noise[:, 1:].to(radius))

    def extent(self) -> dict[str, Extent]:
        """The radius of the ball."""
        return {"radius": Extent(self._radius()[0], "rad", float(self._radius.cap))}

    def coverage(self) -> float:
        return min(float(ball_measure(self._radius().detach(), self.group.k)), 1.0)

    def entropy(self) -> Tensor:
        # the measure itself underflows on a tiny ball
        return self.group.k * _measure_root(self._radius(), self.group.k).log()[0]

    def width_reward(self) -> Tensor:
        return self._radius()[0] / self._radius.cap[0]

    def share_reward(self) -> Tensor:
        return self.width_reward()

    def entropy_reward(self) -> Tensor:
        """k log of the k-th root of the measure: its push does not vanish on a narrow ball."""
        k = self.group.k
        share = _measure_root(self._radius(), k) / _measure_root(self._radius.cap, k)
        return k * ((share + _DELTA) / (1 + _DELTA)).log()[0]


def _measure_root(radius: Tensor, k: int) -> Tensor:
    """The k-th root of the ball's measure, linear in a small radius."""
    return radius / pi if k == 1 else radius * (excess_over(radius**2) / pi) ** (1 / 3)
