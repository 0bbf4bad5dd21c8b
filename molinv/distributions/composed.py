"""Independent distributions on the two parts of a group."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import InputError
from ..groups.base import Group
from ..groups.compose import Compose
from ..names import construct
from .base import Distribution, Extent, Weighted
from .categorical import Categorical
from .haar_ball import HaarBall
from .uniform_box import UniformBox


class Composed(Distribution):
    """Draws g = a b with independent a and b, on a group Compose(A, B) such as O3.

    `a` and `b` are distributions on the group's parts, or names of distributions. Defaults are
    HaarBall on SO3 and SO2, Categorical on a finite part and UniformBox elsewhere, with initial
    extents `init`. Extents are those of both parts; entropies and entropy rewards add up.

    Raises InputError for a group that is not composed, for compact parts that share more than
    the identity or whose products are not a compact group, and for a distribution on another
    group than its part.
    """

    def __init__(
        self,
        group: Group,
        a: Distribution | str | None = None,
        b: Distribution | str | None = None,
        init: float = 0.05,
        *,
        reward: str = "entropy",
        learn: bool = True,
    ):
        super().__init__(group, reward)
        if not isinstance(group, Compose):
            raise InputError(f"Composed: expected a group of two parts such as O3, got {group}.")
        if group.a.compact and group.b.compact and not (group.compact and group.overlap == 1):
            raise InputError(
                f"Composed: expected parts that share only the identity and whose products close, "
                f"got {group}, where entropies of parts don't add: use a distribution on the group."
            )
        settings = {"init": init, "reward": reward, "learn": learn}
        self.a = _on(group.a, a, settings)
        self.b = _on(group.b, b, settings)
        self._split = self.a.noise(0).shape[1]

    def noise(self, n: int, generator: torch.Generator | None = None) -> Float[Tensor, "n m"]:
        """The parts' noise, side by side."""
        return torch.cat([self.a.noise(n, generator), self.b.noise(n, generator)], 1)

    def transform(self, noise: Float[Tensor, "n m"]) -> Float[Tensor, "n d d"]:
        """Products of the parts' elements."""
        a, b = self._parts(noise)
        g = self.a.transform(a)
        return g @ self.b.transform(b).to(g)

    def weight(self, noise: Float[Tensor, "n m"]) -> Float[Tensor, " n"]:
        """The product of the parts' weights."""
        a, b = self._parts(noise)
        return self.a.weight(a) * self.b.weight(b)

    def weighted(self, noise: Float[Tensor, "n m"], most: int = 1) -> Weighted:
        """Products of the parts' elements, with the products of their weights."""
        first, second = self._parts(noise)
        a, wa = self.a.weighted(first, most)
        b, wb = self.b.weighted(second, most // len(a))
        g, weight = a[:, None] @ b.to(a), wa[:, None] * wb.to(wa)
        return g.flatten(0, 1), weight.flatten(0, 1)

    def support(self) -> tuple[Float[Tensor, "m d d"], Float[Tensor, " m"]] | None:
        """All products and their probabilities; None unless both parts have finite supports."""
        a, b = self.a.support(), self.b.support()
        if a is None or b is None:
            return None
        return (a[0][:, None] @ b[0].to(a[0])).flatten(0, 1), (a[1][:, None] * b[1]).flatten()

    @property
    def plain(self) -> bool:
        """True if both parts are plain."""
        return self.a.plain and self.b.plain

    def extent(self) -> dict[str, Extent]:
        """The extents of both parts, called a.NAME and b.NAME if the parts share a name."""
        a, b = self.a.extent(), self.b.extent()
        if set(a) & set(b):
            a = {f"a.{name}": e for name, e in a.items()}
            b = {f"b.{name}": e for name, e in b.items()}
        return a | b

    def coverage(self) -> float | None:
        """The product of the parts' coverages; None if either is None."""
        a, b = self.a.coverage(), self.b.coverage()
        return None if a is None or b is None else a * b

    def entropy(self) -> Tensor:
        """The sum of the parts' entropies."""
        return self.a.entropy() + self.b.entropy()

    def width_reward(self) -> Tensor:
        """The norm of the parts' rewards, as for one box over both."""
        return torch.stack([self.a.width_reward(), self.b.width_reward()]).norm()

    def share_reward(self) -> Tensor:
        """The mean over the generators of both parts; a finite part counts as one generator."""
        k = max(self.a.group.k, 1), max(self.b.group.k, 1)
        return (k[0] * self.a.share_reward() + k[1] * self.b.share_reward()) / sum(k)

    def entropy_reward(self) -> Tensor:
        """The sum of the parts' entropy rewards."""
        return self.a.entropy_reward() + self.b.entropy_reward()

    def _parts(self, noise: Float[Tensor, "n m"]) -> tuple[Tensor, Tensor]:
        return noise[:, : self._split], noise[:, self._split :]


def _on(part: Group, given: Distribution | str | None, settings: dict) -> Distribution:
    """The distribution on one part."""
    if isinstance(given, Distribution):
        if not part.same(given.group):
            raise InputError(
                f"Composed: expected a distribution on {part} with its generators and units, got "
                f"one on {given.group}."
            )
        return given
    if given is not None:
        from . import find  # the contents page, which imports this file

        return construct(find(given), f"distribution {given}", (part,), settings)
    if part.k == 0:
        return Categorical(part, **settings)
    if isinstance(part, Compose):
        return Composed(part, **settings)
    return (UniformBox if part.radius is None else HaarBall)(part, **settings)
