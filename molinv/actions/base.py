"""How a group element moves one kind of object."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from ..groups.base import Group


class Action(ABC):
    """Moves one kind of object by elements (b, d, d), one for each example of a batch.

    As an input action it has `act` and `size`; as an output action `pull_back` takes a model's
    output back to the pose the input came in.

    tolerance  how far an action that interpolates may miss the law of composition, in units of
               the largest value; None where it is exact but for rounding
    reach      the share of half a group's caps out to which the laws are tested
    """

    tolerance: ClassVar[float | None] = None
    reach: ClassVar[float] = 1.0

    def check(self, group: Group) -> None:
        """Raises InputError for a group that cannot move these objects, and says which can."""
        return

    @abstractmethod
    def act(self, group: Group, g: Float[Tensor, "b d d"], x: Any) -> Any:
        """g x, for every example its own g."""

    @abstractmethod
    def size(self, x: Any) -> int:
        """The number of examples in a batch."""

    @abstractmethod
    def example(self, generator: torch.Generator, group: Group, n: int = 4) -> Any:
        """A random batch of n objects that `group` can act on, for the law tests."""

    def pull_back(
        self, group: Group, g: Float[Tensor, "b d d"], y: Any, context: Any
    ) -> tuple[Any, Tensor | None]:
        """g^-1 y and the weight of each entry (None: all count); context is the model's input."""
        return self.act(group, group.inverse(g), y), None
