"""A probability for each element of a finite group."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from ..errors import InputError
from ..groups.base import Group
from .listed import Listed


class Categorical(Listed):
    """A learned probability for each of the m elements of a finite group.

    The identity has probability 1 - q; the other elements share q. q starts at `init` and stays
    below `cap`, by default (m - 1) / m: at that value, with equal shares, the distribution is
    Haar. Train with `Augmented.risk`, because drawn elements carry no gradient: it sums small
    groups exactly and multiplies drawn elements by `weight`. Straight-through gradients are not
    used. They replace loss(g') - loss(g) by its linearisation at g, whose error is as large as
    the loss itself for elements this far apart.

    Raises InputError for a group that is not finite or has one element only, and for a cap
    outside (0, (m - 1) / m].
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
        if group.k or group.elements is None:
            raise InputError(
                f"Categorical: expected a finite group, got {group}; use Composed for one with "
                "continuous parts as well."
            )
        m = len(group.elements)
        if m == 1:
            raise InputError(f"Categorical: {group} has one element only: nothing to learn.")
        widest = 1 - 1 / m
        if cap is not None and not 0 < cap <= widest + 1e-9:
            raise InputError(
                f"Categorical: expected a cap above 0 and at most {widest:.3g}, the probability "
                f"of moving under Haar on {group}, got {cap}."
            )
        super().__init__(group, m, init, widest if cap is None else cap, reward, learn)

    def _elements(self) -> Float[Tensor, "m d d"]:
        elements = self.group.elements
        assert elements is not None
        return elements.to(self.group.generators)
