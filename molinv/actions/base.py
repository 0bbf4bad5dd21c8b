"""The base class of actions, which move one kind of object by group elements."""

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

    An input action is used by its `act` and `size`; an output action by its `pull_back`, which
    turns a model's output back to the input's original pose. Integers and half precision are
    moved, and returned, in the precision of the elements, because a rotation rounded to their
    type is not orthogonal.

    tolerance  allowed error of the law of composition for actions that interpolate, as a fraction
               of the largest value; None if the action is exact up to rounding
    reach      the laws are tested out to this fraction of half the group's caps
    """

    tolerance: ClassVar[float | None] = None
    reach: ClassVar[float] = 1.0

    def check(self, group: Group) -> None:
        """Raise InputError for a group that cannot move these objects; says which groups can."""
        return

    @abstractmethod
    def act(self, group: Group, g: Each, x: Any) -> Any:
        """g x as a new object, with one element of g (b, d, d) for each example."""

    def size(self, x: Any) -> int:
        """The number of examples in a batch; raises InputError unless x is a tensor."""
        if not isinstance(x, Tensor):
            raise _without_action(type(self).__name__, x)
        return len(x)

    @abstractmethod
    def example(self, generator: torch.Generator, group: Group, n: int = 4) -> Any:
        """A random batch of n objects that `group` can act on, for the law tests."""

    def pull_back(self, group: Group, g: Each, y: Any, context: Any) -> tuple[Any, Tensor | None]:
        """g^-1 y, and the weight of each entry (None if all count alike).

        `context` is the model's input. If it contains a PyG graph, a tensor with one row for
        every node is moved node by node. Raises InputError for a tuple or dict, which needs
        `Parts`.
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
    """g and x in the dtype of x if that is float32 or float64, else in g's (at least float32)."""
    dtype = x.dtype if x.dtype in _FULL else torch.promote_types(g.dtype, torch.float32)
    return g.to(dtype), x.to(dtype)


def graph_of_row(context: Any, y: Any) -> Int64[Tensor, " rows"] | None:
    """The graph index of each row of y if `context` has a PyG graph of as many nodes, else None."""
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
    """The parts of a nested tuple or dict, in order; anything else is a single part."""
    if isinstance(x, Mapping | tuple | list):
        return [part for value in values(x) for part in flatten(value)]
    return [x]


def rebuild(like: Any, parts: Sequence[Any]) -> Any:
    """The parts in the nested form of `like`: the inverse of `flatten`."""
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
