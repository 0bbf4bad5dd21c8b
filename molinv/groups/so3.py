"""All rotations of space, and rotations about one axis."""

from __future__ import annotations

from math import pi

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import InputError
from .base import Group, Rule, drawn_on, unit_matrix
from .exponential import sin_over, versine_over
from .so2 import SO2, full_turns


def rotation_generators(d: int = 3) -> Float[Tensor, "3 d d"]:
    """Generators of rotations about x, y and z, in the upper left block of (d, d) matrices."""
    planes = [(1, 2), (2, 0), (0, 1)]
    return torch.stack([unit_matrix(d, (i, j, -1.0), (j, i, 1.0)) for i, j in planes])


def from_quaternion(q: Float[Tensor, "*b 4"]) -> Float[Tensor, "*b 3 3"]:
    """The rotation of a unit quaternion (w, x, y, z)."""
    w, v = q[..., :1, None], q[..., 1:]
    cross = (v @ rotation_generators().to(v).flatten(1)).unflatten(-1, (3, 3))
    eye = torch.eye(3, dtype=q.dtype, device=q.device)
    return eye + 2 * w * cross + 2 * cross @ cross


def to_quaternion(g: Float[Tensor, "*b 3 3"]) -> Float[Tensor, "*b 4"]:
    """The unit quaternion (w, x, y, z) of a rotation, with w >= 0.

    The entries of g give 4 q q^T; its longest row is never close to 0 (Shepperd 1978).
    """
    a, b, c = g[..., 0, 0], g[..., 1, 1], g[..., 2, 2]
    wx, wy, wz = (g[..., j, i] - g[..., i, j] for i, j in ((1, 2), (2, 0), (0, 1)))
    xy, xz, yz = (g[..., j, i] + g[..., i, j] for i, j in ((0, 1), (0, 2), (1, 2)))
    rows = [
        torch.stack([1 + a + b + c, wx, wy, wz], -1),
        torch.stack([wx, 1 + a - b - c, xy, xz], -1),
        torch.stack([wy, xy, 1 - a + b - c, yz], -1),
        torch.stack([wz, xz, yz, 1 - a - b + c], -1),
    ]
    outer = torch.stack(rows, -2)
    longest = outer.diagonal(dim1=-2, dim2=-1).argmax(-1)
    row = torch.take_along_dim(outer, longest[..., None, None], -2).squeeze(-2)
    q = row / row.norm(dim=-1, keepdim=True)
    return torch.where(q[..., :1] < 0, -q, q)


class SO3(Group):
    """Rotations of space; coefficients are the rotation vector (wx, wy, wz) in rad."""

    radius = pi
    orthogonal = True

    def __init__(self):
        super().__init__(
            rotation_generators(), ["wx", "wy", "wz"], ["rad"] * 3, [pi] * 3, compact=True
        )

    def exp(self, xi: Float[Tensor, "*b 3"]) -> Float[Tensor, "*b 3 3"]:
        """Rodrigues' formula; its value and derivatives are exact at 0."""
        square = xi.square().sum(-1)[..., None, None]
        versine = versine_over(square)
        eye = torch.eye(3, dtype=xi.dtype, device=xi.device)
        outer = xi[..., :, None] * xi[..., None, :]
        return (1 - square * versine) * eye + sin_over(square) * self.algebra(xi) + versine * outer

    def log(self, g: Float[Tensor, "*b 3 3"]) -> Float[Tensor, "*b 3"]:
        """The rotation vector of length at most pi; its derivative exists below pi."""
        q = to_quaternion(g)
        w, v = q[..., :1], q[..., 1:]
        square = v.square().sum(-1, keepdim=True)
        small = square < 1e-4
        sine = torch.where(small, 1.0, square).sqrt()
        ratio = square / torch.where(small, w, 1.0).square()
        series = (1 - ratio / 3 + ratio**2 / 5 - ratio**3 / 7) / torch.where(small, w, 1.0)
        return v * 2 * torch.where(small, series, torch.atan2(sine, w) / sine)

    def normalize(self, g: Float[Tensor, "*b 3 3"]) -> Float[Tensor, "*b 3 3"]:
        """The rotation of g's quaternion, normalised to length 1."""
        return from_quaternion(to_quaternion(g))

    def haar(self, n: int, generator: torch.Generator | None = None) -> Float[Tensor, "n 3 3"]:
        """Draw normalised Gaussian 4-vectors, read as quaternions (Shoemake 1992)."""
        q = torch.randn(n, 4, **drawn_on(self, generator)).to(self.generators)
        return from_quaternion(q / q.norm(dim=-1, keepdim=True))

    def rule(self, degree: int) -> Rule:
        """The known rule with the fewest rotations: see `rules.rotations`."""
        from .rules import rotations

        return rotations(degree)

    def basis(self, g: Float[Tensor, "n 3 3"], degree: int) -> tuple[Tensor, Tensor]:
        """sqrt(2 l + 1) D^l_mn(g), Wigner's functions."""
        from .wigner import wigner_d

        columns = [d.flatten(1) * (2 * l + 1) ** 0.5 for l, d in enumerate(wigner_d(g, degree))]
        counts = torch.tensor([c.shape[1] for c in columns])
        return torch.cat(columns, 1), torch.arange(degree + 1).repeat_interleave(counts)

    def preimages(self, xi: Float[Tensor, "*b 3"], reach: float) -> Float[Tensor, "m *b 3"]:
        """Rotation vectors longer or shorter by full turns about the same axis."""
        # scaled first, since the square of a tiny angle underflows; at 0 any axis will do
        scale = xi.detach().abs().amax(-1, keepdim=True)
        axis = xi / torch.where(scale == 0, 1.0, scale)
        axis = torch.where(scale == 0, torch.eye(3).to(xi)[0], axis)
        return xi + full_turns(xi, reach) * (axis / axis.norm(dim=-1, keepdim=True))

    def haar_density(self, xi: Float[Tensor, "*b 3"]) -> Float[Tensor, "*b"]:
        """2 (1 - cos t) / t^2 / (8 pi^2), where t is the length of xi."""
        return versine_over(xi.square().sum(-1)) / (4 * pi**2)


class About(SO2):
    """Rotations of space about the axis (x, y, z), such as a slab's normal or a field.

    The axis may have any length. The coefficient is the angle (rad), right-handed. Haar,
    preimages and quadrature are those of SO2. Raises InputError for an axis of length 0.
    """

    EXAMPLES = ((), (1, -2, 2))

    def __init__(self, x: float | int = 0, y: float | int = 0, z: float | int = 1):
        axis = torch.tensor([x, y, z], dtype=torch.float64)
        if not axis.isfinite().all() or not axis.norm() > 0:
            raise InputError(f"About: expected an axis of finite length above 0, got {[x, y, z]}.")
        axis = axis / axis.norm()
        generator = torch.einsum("i,ijk->jk", axis, rotation_generators().double())
        Group.__init__(self, generator[None], ["angle"], ["rad"], [pi], compact=True)
        self.axis = tuple(axis.tolist())
        self.to(torch.get_default_dtype())  # rounded once, from float64

    def exp(self, xi: Float[Tensor, "*b 1"]) -> Float[Tensor, "*b 3 3"]:
        """I + sin(angle) K + (1 - cos(angle)) K^2, where K is the generator."""
        turn = self.generators[0].to(xi)
        eye = torch.eye(3, dtype=xi.dtype, device=xi.device)
        return eye + self.algebra(xi.sin()) + (1 - xi.cos())[..., None] * (turn @ turn)

    def log(self, g: Float[Tensor, "*b 3 3"]) -> Float[Tensor, "*b 1"]:
        """The angle in (-pi, pi]."""
        sine = (self.generators[0].to(g) * g).sum((-1, -2))
        return torch.atan2(sine, g.diagonal(dim1=-2, dim2=-1).sum(-1) - 1)[..., None]
