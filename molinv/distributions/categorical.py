"""A probability for each element of a finite group."""

from __future__ import annotations

from math import log

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..errors import InputError
from ..groups.base import Group, drawn_on
from .base import Distribution, Extent
from .bounded import Bounded


class Categorical(Distribution):
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
        super().__init__(group, reward)
        if group.k or group.elements is None:
            raise InputError(
                f"Categorical: expected a finite group, got {group}; use Composed for one with "
                "continuous parts as well."
            )
        self.m = len(group.elements)
        if self.m == 1:
            raise InputError(f"Categorical: {group} has one element only: nothing to learn.")
        widest = 1 - 1 / self.m
        if cap is not None and not 0 < cap <= widest + 1e-9:
            raise InputError(
                f"Categorical: expected a cap above 0 and at most {widest:.3g}, the probability "
                f"of moving under Haar on {group}, got {cap}."
            )
        self._moved = Bounded(["moved"], widest if cap is None else cap, init, learn)
        self._among = nn.Parameter(torch.zeros(self.m - 1), requires_grad=learn)

    def probabilities(self) -> Float[Tensor, " m"]:
        """p(g), in the order of the group's elements, the identity first."""
        moved = self._moved()
        return torch.cat([1 - moved, moved * self._among.softmax(0)])

    def support(self) -> tuple[Float[Tensor, "m d d"], Float[Tensor, " m"]]:
        """All elements and p(g), for the exact sum over g of p(g) loss(g)."""
        return self._elements(), self.probabilities()

    @property
    def plain(self) -> bool:
        """True only if nothing is learned."""
        return not self._moved.raw.requires_grad

    def noise(self, n: int, generator: torch.Generator | None = None) -> Float[Tensor, "n 1"]:
        """A uniform number in [0, 1]."""
        return torch.rand(n, 1, **drawn_on(self.group, generator))

    def transform(self, noise: Float[Tensor, "n 1"]) -> Float[Tensor, "n d d"]:
        """Drawn elements. They carry no gradient: `weight` does."""
        return self._elements()[self._index(noise)]

    def weight(self, noise: Float[Tensor, "n 1"]) -> Float[Tensor, " n"]:
        """p(g) / p(g), with the denominator detached."""
        p = self.probabilities()[self._index(noise)]
        return p / p.detach().clamp_min(torch.finfo(p.dtype).tiny)

    def extent(self) -> dict[str, Extent]:
        """q, the probability of drawing an element other than the identity, as "moved"."""
        return {"moved": Extent(self._moved()[0], "probability", float(self._moved.cap))}

    def coverage(self) -> float:
        """exp(entropy): the Haar measure of equally likely elements with the same entropy."""
        return min(float(self.entropy().detach().exp()), 1.0)

    def entropy(self) -> Tensor:
        """-sum p log(m p), in nats."""
        return _entropy(self.probabilities()) - log(self.m)

    def width_reward(self) -> Tensor:
        """q in units of its cap."""
        return self._moved()[0] / self._moved.cap[0]

    def entropy_reward(self) -> Tensor:
        """The entropy minus that of equal shares at the cap."""
        cap = self._moved.cap
        widest = torch.cat([1 - cap, (cap / (self.m - 1)).expand(self.m - 1)])
        return _entropy(self.probabilities()) - _entropy(widest)

    def _index(self, noise: Float[Tensor, "n 1"]) -> Tensor:
        steps = self.probabilities().detach().cumsum(0)
        drawn = torch.searchsorted(steps, noise[:, 0].to(steps).contiguous(), right=True)
        return drawn.clamp(max=self.m - 1)  # probabilities may sum to just below 1

    def _elements(self) -> Float[Tensor, "m d d"]:
        elements = self.group.elements
        assert elements is not None
        return elements.to(self.group.generators)


def _entropy(p: Float[Tensor, " m"]) -> Tensor:
    """Entropy in nats."""
    return -torch.xlogy(p, p.clamp_min(torch.finfo(p.dtype).tiny)).sum()
