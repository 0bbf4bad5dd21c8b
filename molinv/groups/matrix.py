"""A group from the user's own generators."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import InputError
from .base import Group, bracket_residual, exactly


class MatrixGroup(Group):
    """A group from generators (k, d, d); exp is the matrix exponential unless `exp` is given.

    By default generators are called xi0, xi1, ..., units are "1" and caps 1. `compact` is
    taken on trust. With `closed`, brackets of generators must stay in the generators' span.
    Raises InputError for generators of another shape, for entries that are not finite, and
    with `closed` for a bracket that leaves the span.
    """

    def __init__(
        self,
        generators: Float[Tensor, "k d d"] | Sequence,
        names: Sequence[str] | None = None,
        units: Sequence[str] | None = None,
        caps: Sequence[float] | None = None,
        *,
        exp: Callable[[Tensor], Tensor] | None = None,
        compact: bool = False,
        homogeneous: bool = False,
        closed: bool = False,
    ):
        generators, dtype = exactly(generators)
        if not generators.isfinite().all():
            raise InputError("MatrixGroup: expected finite generators, got NaN or infinity.")
        k = len(generators)
        names = names or [f"xi{i}" for i in range(k)]
        units, caps = units or ["1"] * k, caps or [1.0] * k
        super().__init__(generators, names, units, caps, compact=compact, homogeneous=homogeneous)
        self._exp = exp
        self.to(dtype)
        if closed and (residual := bracket_residual(self.generators)).max() > 1e-5:
            i, j = divmod(int(residual.argmax()), self.k)
            raise InputError(
                f"MatrixGroup: the bracket of generators {self.names[i]} and {self.names[j]} "
                "leaves their span, so they do not generate a group of this dimension; add it "
                "as a generator or drop closed=True."
            )

    def exp(self, xi: Float[Tensor, "*b k"]) -> Float[Tensor, "*b d d"]:
        """The `exp` that was given, or the matrix exponential."""
        return super().exp(xi) if self._exp is None else self._exp(xi)

    @classmethod
    def examples(cls) -> Sequence[Group]:
        """A boost of special relativity, and the Heisenberg group."""
        boost = [[[0.0, 1.0], [1.0, 0.0]]]
        heisenberg = torch.zeros(3, 3, 3)
        heisenberg[0, 0, 1] = heisenberg[1, 1, 2] = heisenberg[2, 0, 2] = 1
        return [cls(boost), cls(heisenberg, closed=True)]
