"""Two groups that act on the same object."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import InputError
from .base import Group
from .finite import Cyclic, Reflection
from .pair import Pair
from .scaling import Scaling
from .so2 import SO2
from .so3 import SO3


class Compose(Pair):
    """Products a b of elements of two groups on the same space, a b(x) = a(b(x)).

    exp(xi_a, xi_b) = exp(xi_a) exp(xi_b): where the parts commute (O3; rotation with scale)
    this is the exponential of the sum, elsewhere it is said to be of the second kind. That the
    products form a group is the user's promise.
    """

    def __init__(self, a: Group, b: Group):
        if (a.d, a.homogeneous) != (b.d, b.homogeneous):
            raise InputError(
                f"Compose: expected two groups on the same space, got {a} with {a.d} x {a.d} "
                f"and {b} with {b.d} x {b.d} matrices; use Product for separate objects."
            )
        super().__init__(
            torch.cat([a.generators.detach(), b.generators.detach()]),
            [*a.names, *b.names],
            a,
            b,
            a.homogeneous,
        )

    @property
    def elements(self) -> Float[Tensor, "m d d"] | None:
        a, b = self.a.elements, self.b.elements
        if a is None or b is None:
            return b if a is None else a
        return torch.stack([x @ y.to(x) for x in a for y in b])

    def exp(self, xi: Float[Tensor, "*b k"]) -> Float[Tensor, "*b d d"]:
        a, b = self.apart(xi)
        return self.a.exp(a) @ self.b.exp(b)

    def haar(self, n: int, generator: torch.Generator | None = None):
        a = self.a.haar(n, generator)
        return a @ self.b.haar(n, generator).to(a)

    @classmethod
    def examples(cls) -> Sequence[Group]:
        return [cls(SO3(), Scaling(3)), cls(SO2(), Cyclic(3)), cls(SO2(), Reflection(2))]


class O3(Compose):
    """Rotations of space with and without inversion; coefficients (wx, wy, wz) in rad."""

    def __init__(self):
        super().__init__(SO3(), Reflection(3))

    def log(self, g: Float[Tensor, "*b 3 3"]) -> Float[Tensor, "*b 3"]:
        """The rotation vector of g, or of -g where g has determinant -1."""
        return self.a.log(g * torch.linalg.det(g).sign()[..., None, None])

    def inverse(self, g):
        return g.mT

    def extra_repr(self) -> str:
        return ""

    @classmethod
    def examples(cls) -> Sequence[Group]:
        return [cls()]
