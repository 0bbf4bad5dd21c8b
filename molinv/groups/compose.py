"""Products of two groups that act on the same space."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import InputError
from .affine import Scaling
from .base import SAME, Group, Rule, bracket_residual, outside
from .finite import Cyclic, Reflection, equally, part, unlike
from .so2 import SO2
from .so3 import SO3


class Compose(Group):
    """Products a b of elements of two groups on the same space: (a b)(x) = a(b(x)).

    exp(xi_a, xi_b) = exp(xi_a) exp(xi_b). If the parts commute (rotation with scale), this is
    the ordinary exponential; if not, xi are canonical coordinates of the second kind. If the
    parts share a generator's name, all generators are called a.NAME and b.NAME. The group is
    compact if both parts are compact and the products are closed under multiplication.
    `overlap` is the number of elements that both parts contain, None if both have generators.
    Raises InputError for groups on different spaces, and for finite groups whose products do
    not form a group.
    """

    _elements: Tensor

    def __init__(self, a: Group, b: Group):
        if (a.d, a.homogeneous) != (b.d, b.homogeneous):
            raise InputError(
                f"Compose: expected two groups on the same space, got {a} with {a.d} x {a.d} "
                f"and {b} with {b.d} x {b.d} matrices."
            )
        names = [*a.names, *b.names]
        if len(set(names)) < len(names):
            names = [f"a.{name}" for name in a.names] + [f"b.{name}" for name in b.names]
        generators = torch.cat([g.generators.detach().double().cpu() for g in (a, b)])
        units, caps = [*a.units, *b.units], [*a.caps, *b.caps]
        super().__init__(generators, names, units, caps, compact=False, homogeneous=a.homogeneous)
        self.a, self.b, self.orthogonal = a, b, a.orthogonal and b.orthogonal
        one = torch.eye(self.d, dtype=torch.float64)[None]
        left, right = (one if g.elements is None else g.elements.double().cpu() for g in (a, b))
        products = (left[:, None] @ right).flatten(0, 1)
        distinct = unlike(products, products[:0])
        closed = _closed(generators, distinct)
        if not closed and self.k == 0:
            raise InputError(f"Compose: the products of {a} and {b} do not form a group.")
        self.compact = a.compact and b.compact and closed
        kept = distinct[:1]
        for g in distinct[1:]:
            if not self._connected(g @ torch.linalg.inv(kept)).any():
                kept = torch.cat([kept, g[None]])
        self.overlap = None if a.k and b.k else len(products) // len(kept)
        self._finite = a.elements is not None or b.elements is not None
        self._constant("_elements", kept)
        self._buffers["_elements"] = kept.to(a.generators)

    @property
    def generators(self) -> Float[Tensor, "k d d"]:  # pyright: ignore
        """The generators of a, then those of b; they may be parameters."""
        return torch.cat([self.a.generators, self.b.generators.to(self.a.generators)])

    @property
    def elements(self) -> Float[Tensor, "m d d"] | None:
        """Products of the parts' elements, one for each connected component."""
        return self._elements if self._finite else None

    @property
    def commuting(self) -> bool:
        """Whether every generator of one part commutes with every generator of the other."""
        a, b = self.a.generators.double()[:, None], self.b.generators.double()[None]
        return not (a @ b - b @ a).any()

    def exp(self, xi: Float[Tensor, "*b k"]) -> Float[Tensor, "*b d d"]:
        """exp(xi_a) exp(xi_b)."""
        return self.a.exp(xi[..., : self.a.k]) @ self.b.exp(xi[..., self.a.k :])

    def log(self, g: Float[Tensor, "*b d d"]) -> Float[Tensor, "*b k"]:
        """Coefficients of g component(g)^-1; raises InputError if the parts do not commute."""
        return part(g, self._elements, self._log, self.exp)[0]

    def component(self, g: Float[Tensor, "*b d d"]) -> Float[Tensor, "*b d d"]:
        """The one of `elements` in the connected component of g."""
        return part(g, self._elements, self._log, self.exp)[1]

    def _log(self, g: Tensor) -> Tensor:
        """Coefficients of elements in the identity's component."""
        if self.a.k and self.b.k and not self.commuting:
            raise InputError(f"{self}: no logarithm is known where the parts do not commute.")
        continuous = self._continuous
        return super().log(g) if continuous is None else continuous.log(g)

    @property
    def _continuous(self) -> Group | None:
        """The part that has generators; None if both have."""
        return None if self.a.k and self.b.k else self.a if self.a.k else self.b

    def _connected(self, g: Float[Tensor, "m d d"]) -> Tensor:
        """Whether elements are in the identity's component; False if both parts have generators."""
        if self._continuous is None or self.k == 0:
            return torch.zeros(len(g), dtype=torch.bool)
        miss = (self._continuous.exp(self._continuous.log(g)) - g).abs().amax((-1, -2))
        return miss < SAME[torch.float32]

    def haar(self, n: int, generator: torch.Generator | None = None) -> Float[Tensor, "n d d"]:
        """Products of independent Haar draws from the parts; the group must be compact."""
        if not self.compact:
            return super().haar(n, generator)
        a = self.a.haar(n, generator)
        return a @ self.b.haar(n, generator).to(a)

    def rule(self, degree: int) -> Rule:
        """Products of the parts' rules, with one finite element for each connected component."""
        if not self.compact:
            return super().rule(degree)
        whole, finite = self._continuous, equally(self._exact["_elements"])
        if self.k == 0:
            return finite
        if whole is None or whole.elements is not None:
            (a, wa), (b, wb) = self.a.rule(degree), self.b.rule(degree)
        else:
            (a, wa), (b, wb) = whole.rule(degree), finite
        return (a[:, None] @ b[None]).flatten(0, 1), (wa[:, None] * wb).flatten()

    def preimages(self, xi: Float[Tensor, "*b k"], reach: float) -> Float[Tensor, "m *b k"]:
        """All pairs of the parts' preimages."""
        a = self.a.preimages(xi[..., : self.a.k], reach)
        b = self.b.preimages(xi[..., self.a.k :], reach)
        return torch.stack([torch.cat([x, y], -1) for x in a for y in b])

    def haar_density(self, xi: Float[Tensor, "*b k"]) -> Float[Tensor, "*b"]:
        """The Haar density of the continuous part, divided among the components.

        Raises InputError if both parts have generators, because their overlap is not known.
        """
        whole = self._continuous
        if not self.compact or whole is None:
            return super().haar_density(xi)
        of_whole = 1 if whole.elements is None else len(whole.elements)
        return whole.haar_density(xi) * (of_whole / len(self._exact["_elements"]))

    @classmethod
    def examples(cls) -> Sequence[Group]:
        """Parts that commute, that overlap, and that do not commute."""
        if cls is not Compose:
            return super().examples()
        pairs = (SO3(), Scaling(3)), (SO2(), Cyclic(3)), (SO2(), Reflection(2))
        return [cls(*pair) for pair in pairs]


class O3(Compose):
    """Rotations of space with and without inversion; coefficients (wx, wy, wz) in rad."""

    EXAMPLES = ((),)

    def __init__(self):
        super().__init__(SO3(), Reflection(3))


def _closed(generators: Float[Tensor, "k d d"], elements: Float[Tensor, "m d d"]) -> bool:
    """Whether brackets and conjugates of the generators stay in their span.

    Without generators: whether all products of the elements are elements.
    """
    if len(generators):
        turned = elements[:, None] @ generators @ torch.linalg.inv(elements)[:, None]
        away = max(bracket_residual(generators).max(), outside(turned, generators).max())
        return bool(away < 1e-5)
    return not any(len(unlike(g @ elements, elements)) for g in elements)
