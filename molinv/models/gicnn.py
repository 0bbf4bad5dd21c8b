"""A property whose level sets are connected and have a chart, and paths on them.

Source: Nesterov, Arend Torres, Nagy-Huber, Samarin, Roth, "Learning Invariances with Generalised
Input-Convex Neural Networks" (2022), arXiv 2204.07009.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..errors import InputError
from .input_convex import Couplings, InputConvex

STEPS = 200  # most steps of a root search or a minimisation; about ten are used


class Chart(NamedTuple):
    """Coordinates of points: unit vectors in the space of T, and values of the property."""

    direction: Float[Tensor, "b d"]
    value: Float[Tensor, " b"]


class GICNN(nn.Module):
    """Generalised input-convex network f(x) = c(T(x)): forward(x (b, d)) returns (b,).

    c is strongly convex and T is invertible. A set {f <= y} is therefore the image of a convex set,
    and each ray from the minimum of c meets the level set {f = y} exactly once. The direction of
    the ray and y are coordinates of x: `to_chart` and `from_chart`. f has one minimum, and so fits
    a property only in one basin; fit the negative of a property with a maximum.

    d is at least 2. `couplings=0` makes T the identity and f convex. Use float64 for walks:
    their property is exact up to rounding. Raises InputError for points of another shape.
    """

    center: Tensor
    scale: Tensor
    offset: Tensor
    unit: Tensor

    def __init__(
        self,
        d: int,
        width: int = 64,
        layers: int = 2,
        couplings: int = 4,
        generator: torch.Generator | None = None,
    ):
        super().__init__()
        if d < 2:
            raise InputError(f"GICNN: level sets are connected in d >= 2 dimensions, got d={d}.")
        if width < 1 or layers < 1 or couplings < 0:
            raise InputError(
                "GICNN: expected width and layers of at least 1 and couplings of at least 0, got "
                f"{width}, {layers} and {couplings}."
            )
        self.d = d
        self.map = Couplings(d, width, couplings, generator)
        self.convex = InputConvex(d, width, layers, generator)
        for name, size in (("center", (d,)), ("scale", (d,)), ("offset", ()), ("unit", ())):
            self.register_buffer(name, torch.full(size, float(name in ("scale", "unit"))))

    def standardize(self, x: Float[Tensor, "n d"], y: Float[Tensor, " n"]) -> None:
        """Take the means and standard deviations of training data, before training."""
        self._check(x)
        floating = x.is_floating_point() and y.is_floating_point()
        if not floating or y.shape != x.shape[:1] or not (y.std() > 0 and (x.std(0) > 0).all()):
            raise InputError(
                f"GICNN: expected y (n,) and x (n, {self.d}) of floating point that vary, got y "
                f"{tuple(y.shape)} {y.dtype} and x {tuple(x.shape)} {x.dtype}."
            )
        self.center.copy_(x.mean(0))
        self.scale.copy_(x.std(0))
        self.offset.copy_(y.mean())
        self.unit.copy_(y.std())

    def forward(self, x: Float[Tensor, "b d"]) -> Float[Tensor, " b"]:
        self._check(x)
        return self.offset + self.unit * self.convex(self.map((x - self.center) / self.scale))

    def minimum(self) -> tuple[Float[Tensor, " d"], Float[Tensor, ""]]:
        """The point x (d,) with the smallest property, and that property."""
        x = self._back(self._lowest()[None])
        return x[0], self(x)[0]

    def to_chart(self, x: Float[Tensor, "b d"]) -> Chart:
        """Directions from the minimum, and property. The minimum has an arbitrary direction."""
        self._check(x)
        z = self.map((x - self.center) / self.scale)
        away = z - self._lowest()
        length = away.norm(dim=-1, keepdim=True)
        first = torch.eye(self.d, dtype=x.dtype, device=x.device)[0]
        there = length > 0
        direction = torch.where(there, away / torch.where(there, length, 1), first)
        return Chart(direction, self.offset + self.unit * self.convex(z))

    def from_chart(
        self, direction: Float[Tensor, "b d"], value: Float[Tensor, " b"]
    ) -> Float[Tensor, "b d"]:
        """The points x (b, d) in these directions, of any length above 0, with these properties.

        The property of x equals `value` up to rounding. Gradients reach the parameters, directions
        and values. Raises InputError for a value below the minimum, and for a direction whose
        length is 0 or not finite.
        """
        self._check(direction)
        length = direction.norm(dim=-1, keepdim=True)
        long = (length > 0) & length.isfinite()
        if value.shape != direction.shape[:1] or not long.all():
            raise InputError(
                f"GICNN: expected directions (b, {self.d}) of finite length above 0 and values "
                f"(b,), got {tuple(direction.shape)} and {tuple(value.shape)}."
            )
        lowest, unit = self._lowest(), direction / length
        level, low = (value - self.offset) / self.unit, self.convex(lowest[None])
        slack = 100 * torch.finfo(level.dtype).eps * (1 + low.abs() + (level - low).abs())
        if not (level.isfinite() & (level >= low - slack)).all():
            least, asked = ((self.offset + self.unit * v).min().detach() for v in (low, level))
            raise InputError(
                f"GICNN: no point has the property {asked:.6g}: the minimum is {least:.6g}."
            )
        r = self._radius(lowest.detach(), unit.detach(), level.detach())
        z = lowest + r[:, None] * unit
        if torch.is_grad_enabled():  # one Newton step from the root, by the implicit function
            slope = (_gradient(self.convex, z) * unit).sum(-1).detach()
            off = (self.convex(z) - level) / torch.where(slope > 0, slope, 1)
            z = z - off[:, None] * unit.detach()
        return self._back(z)

    def walk(
        self, a: Float[Tensor, " d"], b: Float[Tensor, " d"], n: int, tolerance: float = 1e-6
    ) -> Float[Tensor, "n d"]:
        """A path of n points from a to b on their level set.

        The directions are on the great circle between the two, equally spaced. The property changes
        linearly from f(a) to f(b). Raises InputError if these differ by more than `tolerance`,
        and for n below 2.
        """
        if n < 2 or a.shape != (self.d,) or b.shape != (self.d,):
            raise InputError(
                f"GICNN: expected two points ({self.d},) and n of at least 2, got "
                f"{tuple(a.shape)}, {tuple(b.shape)} and n={n}."
            )
        (u, v), (first, last) = self.to_chart(torch.stack([a, b]))
        if not (first - last).abs() <= tolerance:
            raise InputError(
                f"GICNN: the points have the properties {first.detach():.6g} and "
                f"{last.detach():.6g}, which differ by more than {tolerance:g}: raise the "
                "tolerance, or move one of them with to_chart and from_chart."
            )
        t = torch.linspace(0, 1, n, dtype=a.dtype, device=a.device)
        return self.from_chart(_great_circle(u, v, t), first + t * (last - first))

    def _check(self, x: Tensor) -> None:
        if x.ndim != 2 or x.shape[1] != self.d:
            raise InputError(f"GICNN: expected points (b, {self.d}), got {tuple(x.shape)}.")

    def _back(self, z: Float[Tensor, "b d"]) -> Float[Tensor, "b d"]:
        return self.center + self.scale * self.map.inverse(z)

    def _lowest(self) -> Float[Tensor, " d"]:
        """The minimum of c, by damped Newton steps; gradients reach the parameters."""
        z, c = torch.zeros_like(self.center), self.convex
        left, small = 3, torch.finfo(z.dtype).eps ** 0.5
        for _ in range(STEPS):
            with torch.no_grad():
                hessian = torch.func.hessian(lambda point: c(point[None])[0])(z)
                slope, before, size = _gradient(c, z[None])[0], c(z[None]), 1.0
                step = torch.linalg.solve(hessian, slope)
                gain = slope @ step
                # below this gain, differences of c are rounding, and full steps converge
                while gain > small and c((z - size * step)[None]) > before - 0.1 * size * gain:
                    size /= 2
            left -= int(gain <= small)
            if left == 0:  # the step that has gradients, by the implicit function
                return z - torch.linalg.solve(hessian, _gradient(c, z[None])[0])
            z = z - size * step
        raise FloatingPointError("GICNN: the minimum was not found.")

    @torch.no_grad()
    def _radius(
        self, lowest: Float[Tensor, " d"], unit: Float[Tensor, "b d"], level: Float[Tensor, " b"]
    ) -> Float[Tensor, " b"]:
        """Where rays from the minimum reach the level: Newton steps, bisection outside the bracket.

        The search starts from above, where Newton steps on a convex function never pass the root.
        """
        above = (level - self.convex(lowest[None])).clamp(min=0)
        low, high = torch.zeros_like(level), (2 * above / self.convex.modulus()).sqrt() * (1 + 1e-6)
        r, eps = high, torch.finfo(level.dtype).eps
        for _ in range(STEPS):
            z = lowest + r[:, None] * unit
            off, slope = self.convex(z) - level, (_gradient(self.convex, z) * unit).sum(-1)
            low, high = torch.where(off > 0, low, r), torch.where(off > 0, r, high)
            new = r - off / slope
            new = torch.where((new >= low) & (new <= high), new, (low + high) / 2)
            done = ((new - r).abs() <= 2 * eps * r).all()
            r = new
            if done:
                break
        return r


def _gradient(c: InputConvex, z: Float[Tensor, "b d"]) -> Float[Tensor, "b d"]:
    """The gradient of c at each point; gradients reach the parameters."""
    return torch.func.grad(lambda points: c(points).sum())(z)


def _great_circle(u: Tensor, v: Tensor, t: Tensor) -> Tensor:
    """Unit vectors (n, d) at fractions t of the way from u to v; any half circle if v = -u."""
    across = v - (u @ v) * u
    angle = torch.atan2(across.norm(), u @ v)
    if across.norm() < 1e-6:  # the same direction, or the opposite one
        other = torch.eye(len(u), dtype=u.dtype, device=u.device)[u.abs().argmin()]
        across = other - (u @ other) * u
    w = across / across.norm()
    return (t * angle).cos()[:, None] * u + (t * angle).sin()[:, None] * w
