"""How a group element moves one kind of object."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from ..errors import InputError
from ..groups.base import Group

Each = Float[Tensor, "b d d"]  # an element for each example of a batch
_FULL = (torch.float32, torch.float64)


class Action(ABC):
    """Moves one kind of object by elements (b, d, d), one for each example of a batch.

    As an input action it has `act` and `size`; as an output action `pull_back` takes a model's
    output back to the pose the input came in. Whole numbers and half precision are moved in the
    elements' own precision, and come back in it: a rotation rounded to their type is not one.

    tolerance  how far an action that interpolates may miss the law of composition, in units of
               the largest value; None where it is exact but for rounding
    reach      the fraction of half a group's caps out to which the laws are tested
    """

    tolerance: ClassVar[float | None] = None
    reach: ClassVar[float] = 1.0

    def check(self, group: Group) -> None:
        """Raises InputError for a group that cannot move these objects, and says which can."""
        return

    @abstractmethod
    def act(self, group: Group, g: Each, x: Any) -> Any:
        """g x, for every example its own g."""

    def size(self, x: Any) -> int:
        """The number of examples in a batch; raises InputError for what is not a tensor."""
        if not isinstance(x, Tensor):
            raise _without_action(type(self).__name__, x)
        return len(x)

    @abstractmethod
    def example(self, generator: torch.Generator, group: Group, n: int = 4) -> Any:
        """A random batch of n objects that `group` can act on, for the law tests."""

    def pull_back(self, group: Group, g: Each, y: Any, context: Any) -> tuple[Any, Tensor | None]:
        """g^-1 y and the weight of each entry (None: all count); context is the model's input.

        Where that is a PyG graph, a tensor with a row for every node is moved node by node.
        """
        if isinstance(y, Mapping | tuple | list):
            raise _without_action(type(self).__name__, y)
        back = group.inverse(g)
        node = graph_of_row(context, y)
        return self.act(group, back if node is None else back[node], y), None


def _without_action(name: str, x: Any) -> InputError:
    parts = f" of {', '.join(map(str, x))}" if isinstance(x, Mapping) else ""
    return InputError(
        f"{name}: expected a tensor, got {type(x).__name__}{parts}: objects of several parts need "
        'an action for each, as in input={"pos": Points(), "field": Vector()}.'
    )


def same_precision(g: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """Both in x's type where it is float32 or float64, else in g's, float32 at least."""
    dtype = x.dtype if x.dtype in _FULL else torch.promote_types(g.dtype, torch.float32)
    return g.to(dtype), x.to(dtype)


def graph_of_row(context: Any, y: Any) -> Int64[Tensor, " rows"] | None:
    """The graph of each row of y where the context has a PyG graph with as many nodes, or None."""
    for part in flatten(context) if isinstance(y, Tensor) and y.ndim else ():
        pos = None if isinstance(part, Tensor) else getattr(part, "pos", None)
        if pos is not None and len(pos) == len(y):
            return graph_of_node(part)
    return None


def graph_of_node(x: Any) -> Int64[Tensor, " nodes"]:
    """The index of each node's graph; all 0 for a single Data."""
    if x.batch is None:
        return torch.zeros(len(x.pos), dtype=torch.long, device=x.pos.device)
    return x.batch


def flatten(x: Any) -> list:
    """The parts of a tuple or dict, however deep, in order; anything else is one part."""
    if isinstance(x, Mapping | tuple | list):
        return [part for value in values(x) for part in flatten(value)]
    return [x]


def rebuild(like: Any, parts: Sequence[Any]) -> Any:
    """Parts in the form that `like` has: undoes `flatten`."""
    return _rebuild(like, iter(parts))


def _rebuild(like: Any, parts: Iterator[Any]) -> Any:
    if isinstance(like, Mapping):
        return {name: _rebuild(value, parts) for name, value in like.items()}
    if isinstance(like, tuple | list):
        return tuple(_rebuild(value, parts) for value in like)
    return next(parts)


def values(x: Any) -> tuple:
    """The parts of a tuple or dict, in order."""
    return tuple(x.values()) if isinstance(x, Mapping) else tuple(x)
