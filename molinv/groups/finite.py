"""Finite groups, which have elements but no generators."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import InputError
from .base import SAME, Group, Rule, drawn_on, exactly
from .so2 import SO2
from .so3 import About

_LIMIT = SAME[torch.float32]
# the rotations of space that only change signs; the identity is not the first, on purpose
_FLIPS = torch.tensor([[-1.0, -1, 1], [1, -1, -1], [-1, 1, -1], [1, 1, 1]]).diag_embed()


class Finite(Group):
    """A finite group, given by its elements (m, d, d) in any order.

    `elements` lists them with the identity first. exp of the empty coefficient vector is the
    identity; `haar` draws every element with the same probability. With `homogeneous`, the
    last column of an element is its offset. Raises InputError unless the elements are square,
    distinct, closed under multiplication and include the identity. check=False skips the
    checks of distinctness and closure.
    """

    EXAMPLES = ((_FLIPS,),)
    _elements: Tensor

    def __init__(
        self,
        elements: Float[Tensor, "m d d"] | Sequence,
        *,
        homogeneous: bool = False,
        check: bool = True,
    ):
        name, (elements, dtype) = type(self).__name__, exactly(elements)
        if elements.ndim != 3 or elements.shape[1] != elements.shape[2] or not len(elements):
            raise InputError(f"{name}: expected elements (m, d, d), got {tuple(elements.shape)}.")
        super().__init__(elements[:0].detach(), [], [], [], compact=True, homogeneous=homogeneous)
        away = (elements - torch.eye(self.d).to(elements)).abs().amax((-1, -2))
        first = int(away.argmin())
        if not away[first] < _LIMIT:  # true for NaN as well
            raise InputError(f"{name}: the identity is not among the elements.")
        exact = elements.detach().double()
        if check and len(unlike(exact, exact[:0])) < len(exact):
            raise InputError(f"{name}: two of the elements are the same; expected each only once.")
        for g in exact if check else ():
            if len(missing := unlike(g @ exact, exact)):
                raise InputError(
                    f"{name}: the product {missing[0].tolist()} of two elements is not among the "
                    f"{len(exact)} elements; groups.closure adds all products."
                )
        rest = torch.arange(len(elements)) != first
        self._constant("_elements", torch.cat([elements[first, None], elements[rest]]))
        self.to(dtype)

    @property
    def elements(self) -> Float[Tensor, "m d d"]:
        """All elements, the identity first."""
        return self._elements

    def exp(self, xi: Float[Tensor, "*b 0"]) -> Float[Tensor, "*b d d"]:
        """The identity."""
        return self.identity(*xi.shape[:-1]).to(xi)

    def log(self, g: Float[Tensor, "*b d d"]) -> Float[Tensor, "*b 0"]:
        """Empty coefficients (..., 0), since every element is a component of its own."""
        return g.new_zeros(*g.shape[:-2], 0)

    def component(self, g: Float[Tensor, "*b d d"]) -> Float[Tensor, "*b d d"]:
        """The element nearest to g."""
        return part(g, self.elements, self.log, self.exp)[1]

    def haar(self, n: int, generator: torch.Generator | None = None) -> Float[Tensor, "n d d"]:
        """n elements, each drawn with the same probability."""
        index = torch.randint(len(self.elements), (n,), **drawn_on(self, generator))
        return self.elements[index.to(self.elements.device)]

    def rule(self, degree: int) -> Rule:
        """All elements with equal weights: exact for every function."""
        return equally(self._exact["_elements"])

    def haar_density(self, xi: Float[Tensor, "*b 0"]) -> Float[Tensor, "*b"]:
        """The probability of one element."""
        return torch.full(xi.shape[:-1], 1 / len(self.elements)).to(xi)


class Cyclic(Finite):
    """The n rotations of the plane by multiples of 2 pi / n; with dim=3, about the z axis.

    Raises InputError for n below 1 and for another dim.
    """

    EXAMPLES = ((1,), (4,), (5,), (6, 3))
    orthogonal = True

    def __init__(self, n: int = 4, dim: int = 2):
        if n < 1 or dim not in (2, 3):
            raise InputError(f"Cyclic: expected n >= 1 and dim 2 or 3, got n={n}, dim={dim}.")
        turns, _ = (SO2() if dim == 2 else About()).rule(n - 1)
        super().__init__(turns, check=False)
        self.to(torch.get_default_dtype())


class Reflection(Finite):
    """The identity and one reflection: diag(1, -1) in the plane, -I (inversion) in space.

    With `homogeneous`, elements are (dim + 1, dim + 1) matrices, to compose with translations.
    Raises InputError for another dim.
    """

    EXAMPLES = ((2,), (3,), (3, True))
    orthogonal = True

    def __init__(self, dim: int = 3, homogeneous: bool = False):
        if dim not in (2, 3):
            raise InputError(f"Reflection: expected dim 2 or 3, got {dim}.")
        signs = [1.0, -1.0] if dim == 2 else [-1.0] * 3
        flip = torch.diag(torch.tensor(signs + [1.0] * homogeneous))
        super().__init__(torch.stack([torch.eye(len(flip)), flip]), homogeneous=homogeneous)


def equally(elements: Float[Tensor, "m d d"]) -> tuple[Float[Tensor, "m d d"], Float[Tensor, " m"]]:
    """The elements, with equal weights that sum to 1."""
    return elements, elements.new_full((len(elements),), 1 / len(elements))


def part(
    g: Float[Tensor, "*b d d"],
    elements: Float[Tensor, "m d d"],
    log: Callable[[Tensor], Tensor],
    exp: Callable[[Tensor], Tensor],
) -> tuple[Float[Tensor, "*b k"], Float[Tensor, "*b d d"]]:
    """xi and the element e with g = exp(xi) e; the first e if several fit to within rounding."""
    elements = elements.to(g)
    near = g[..., None, :, :] @ torch.linalg.inv(elements)
    xi = log(near)
    miss = (exp(xi) - near).detach().abs().amax((-1, -2)).nan_to_num(torch.inf)
    fits = miss <= SAME.get(g.dtype, 1e-2) * near.detach().abs().amax((-1, -2)).clamp_min(1)
    order = torch.arange(len(elements), device=g.device)
    best = torch.where(fits, order - len(elements), miss).argmin(-1)
    return torch.take_along_dim(xi, best[..., None, None], -2).squeeze(-2), elements[best]


def unlike(
    new: Float[Tensor, "n d d"], known: Float[Tensor, "m d d"], limit: float = _LIMIT
) -> Float[Tensor, "l d d"]:
    """The new matrices that differ by more than `limit` from all known ones, each only once."""
    flat = new.flatten(1)
    seen = (torch.cdist(flat, known.flatten(1), p=float("inf")) < limit).any(1)
    alike = torch.cdist(flat, flat, p=float("inf")) < limit
    earlier = (alike & ~seen).tril(-1).any(1)  # equal to an earlier new matrix
    return new[~seen & ~earlier]
