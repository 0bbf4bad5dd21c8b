"""Independent distributions on the two parts of a group."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad

from ..errors import InputError
from ..groups.base import Group
from ..groups.compose import Compose
from ..groups.pair import Pair
from ..groups.product import Product
from ..groups.so2 import SO2
from ..groups.so3 import SO3
from ..names import construct
from .base import Distribution, Extent
from .categorical import Categorical
from .haar_ball import HaarBall
from .scored import Scored
from .uniform_box import UniformBox


class Composed(Scored):
    """g = a b with a and b drawn independently, on Compose(A, B) or Product(A, B): O3, say.

    `a` and `b` are distributions on the group's parts, or their names; by default HaarBall on
    SO3 and SO2, Categorical on a finite part, UniformBox elsewhere, started at `init`. Extents
    are those of both; entropies and their rewards add. Raises InputError for another group, and
    for a distribution on another part.
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
        if not isinstance(group, Compose | Product):
            raise InputError(f"Composed: expected a group of two parts such as O3, got {group}.")
        settings = {"init": init, "reward": reward, "learn": learn}
        self.a = _on(group.a, a, settings)
        self.b = _on(group.b, b, settings)
        self._split = self.a.noise(0).shape[1]

    def noise(self, n: int, generator: torch.Generator | None = None) -> Float[Tensor, "n m"]:
        return torch.cat([self.a.noise(n, generator), self.b.noise(n, generator)], 1)

    def transform(self, noise: Float[Tensor, "n m"]) -> Float[Tensor, "n d d"]:
        a = self.a.transform(noise[:, : self._split])
        b = self.b.transform(noise[:, self._split :]).to(a)
        if not isinstance(self.group, Product):
            return a @ b
        da, db = a.shape[-1], b.shape[-1]
        return pad(a, (0, db, 0, db)) + pad(b, (da, 0, da, 0))

    def weight(self, noise: Float[Tensor, "n m"]) -> Float[Tensor, " n"]:
        """The product of the parts'; 1 for a part that needs none."""
        halves = (self.a, noise[:, : self._split]), (self.b, noise[:, self._split :])
        weight = torch.ones(len(noise)).to(self.group.generators)
        for part, own in halves:
            if isinstance(part, Scored):
                weight = weight * part.weight(own)
        return weight

    def extent(self) -> dict[str, Extent]:
        """Both parts', as a.NAME and b.NAME where the group names its generators so."""
        a, b = self.a.extent(), self.b.extent()
        if isinstance(self.group, Product) or set(a) & set(b):
            a = {f"a.{name}": e for name, e in a.items()}
            b = {f"b.{name}": e for name, e in b.items()}
        return a | b

    def coverage(self) -> float | None:
        a, b = self.a.coverage(), self.b.coverage()
        return None if a is None or b is None else a * b

    def entropy(self) -> Tensor:
        return self.a.entropy() + self.b.entropy()

    def width_reward(self) -> Tensor:
        """The norm over both, as one box has it."""
        return torch.stack([self.a.width_reward(), self.b.width_reward()]).norm()

    def share_reward(self) -> Tensor:
        """The mean over the generators of both, a finite part counting as one."""
        k = max(self.a.group.k, 1), max(self.b.group.k, 1)
        return (k[0] * self.a.share_reward() + k[1] * self.b.share_reward()) / sum(k)

    def entropy_reward(self) -> Tensor:
        return self.a.entropy_reward() + self.b.entropy_reward()


def _on(part: Group, given: Distribution | str | None, settings: dict) -> Distribution:
    """The distribution on one part."""
    if isinstance(given, Distribution):
        if str(given.group) != str(part):
            raise InputError(f"Composed: expected a distribution on {part}, got {given.group}.")
        return given
    if given is not None:
        from . import find  # the contents page, which imports this file

        return construct(find(given), f"distribution {given}", (part,), settings)
    if part.k == 0:
        return Categorical(part, **settings)
    if isinstance(part, Pair):
        return Composed(part, **settings)
    return (HaarBall if isinstance(part, SO2 | SO3) else UniformBox)(part, **settings)
