"""The base class of distributions on a list of elements, whose probabilities are learned."""

from __future__ import annotations

from abc import abstractmethod
from math import log

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..groups.base import Group, drawn_on
from .base import Distribution, Extent
from .bounded import Bounded


class Listed(Distribution):
    """A learned probability for each of m elements, of which the first is the identity.

    The identity has probability 1 - q; the other elements share q, by a softmax. q starts at
    `init` and stays below `cap`. Train with `Augmented.risk`: drawn elements carry no gradient of
    the probabilities, so their loss is multiplied by `weight`.
    """

    def __init__(self, group: Group, m: int, init: float, cap: float, reward: str, learn: bool):
        super().__init__(group, reward)
        self.m = m
        self._moved = Bounded(["moved"], cap, init, learn)
        self._among = nn.Parameter(torch.zeros(m - 1), requires_grad=learn)

    @abstractmethod
    def _elements(self) -> Float[Tensor, "m d d"]:
        """The elements, the identity first."""

    def probabilities(self) -> Float[Tensor, " m"]:
        """p(g), in the order of the elements, the identity first."""
        moved = self._moved()
        return torch.cat([1 - moved, moved * self.shares()])

    def shares(self) -> Float[Tensor, " k"]:
        """The probabilities of the elements other than the identity, given that one is drawn."""
        return self._among.softmax(0)

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
        """Drawn elements. The gradient of their probabilities is in `weight`."""
        return self._elements()[drawn(self.probabilities(), noise)]

    def weight(self, noise: Float[Tensor, "n 1"]) -> Float[Tensor, " n"]:
        """p(g) / p(g), with the denominator detached."""
        p = self.probabilities()
        return score(p[drawn(p, noise)])

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


def drawn(p: Float[Tensor, " m"], noise: Float[Tensor, "n 1"]) -> Tensor:
    """The indices (n,) of elements drawn with probabilities p, from uniform numbers."""
    steps = p.detach().cumsum(0)
    index = torch.searchsorted(steps, noise[:, 0].to(steps).contiguous(), right=True)
    return index.clamp(max=len(p) - 1)  # probabilities may sum to just below 1


def score(p: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """1, with the gradient of log p."""
    return p / p.detach().clamp_min(torch.finfo(p.dtype).tiny)


def _entropy(p: Float[Tensor, " m"]) -> Tensor:
    """Entropy in nats."""
    return -torch.xlogy(p, p.clamp_min(torch.finfo(p.dtype).tiny)).sum()
