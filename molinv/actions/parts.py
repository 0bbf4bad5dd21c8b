"""Objects made of several parts that one element moves together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch

from ..errors import InputError
from ..groups.base import Group
from .base import Action, Each
from .cartesian import Points, Vector


class Parts(Action):
    """A tuple or a dict of objects, with an action for each: positions with a field vector, say.

    `actions` is a sequence, for tuples in that order, or a mapping, for dicts with those keys. As
    an output action it returns the parts' weights in the same form, or None where none has any.
    Raises InputError for objects that lack a part or have one without an action.
    """

    def __init__(self, actions: Sequence[Action] | Mapping[str, Action] | None = None):
        actions = (Points(), Vector()) if actions is None else actions
        self.actions = dict(actions) if isinstance(actions, Mapping) else tuple(actions)

    def check(self, group: Group) -> None:
        """Raises InputError for a group that one of the parts refuses."""
        for action in _values(self.actions):
            action.check(group)

    def act(self, group: Group, g: Each, x: Any) -> Any:
        """Every part moved by its own action."""
        return self._each(x, lambda action, part: action.act(group, g, part))

    def size(self, x: Any) -> int:
        """The number of examples of the first part."""
        return _values(self.actions)[0].size(_values(self._known(x))[0])

    def pull_back(self, group: Group, g: Each, y: Any, context: Any) -> tuple[Any, Any]:
        """Every part pulled back by its own action, and their weights."""
        weights = []

        def back(action: Action, part: Any) -> Any:
            value, weight = action.pull_back(group, g, part, context)
            weights.append(weight)
            return value

        values = self._each(y, back)
        return values, None if all(w is None for w in weights) else rebuild(values, weights)

    def example(self, generator: torch.Generator, group: Group, n: int = 4) -> Any:
        """An example of every part."""
        parts = [action.example(generator, group, n) for action in _values(self.actions)]
        return rebuild(self.actions, parts)

    def _known(self, x: Any) -> Any:
        """x, with its parts in the actions' order."""
        if isinstance(self.actions, dict):
            if isinstance(x, Mapping) and set(x) == set(self.actions):
                return {name: x[name] for name in self.actions}
            came = f"parts {', '.join(map(str, x))}" if isinstance(x, Mapping) else type(x).__name__
            raise InputError(
                f"Parts: expected a dict with the parts {', '.join(self.actions)}, each of which "
                f"has an action, got {came}: give every part an action (Invariant() for what "
                "stays as it is)."
            )
        if isinstance(x, tuple | list) and len(x) == len(self.actions):
            return tuple(x)
        came = f"{len(x)} of them" if isinstance(x, tuple | list) else type(x).__name__
        raise InputError(
            f"Parts: expected a tuple of {len(self.actions)} parts, one for each action, got "
            f"{came}."
        )

    def _each(self, x: Any, function: Callable[[Action, Any], Any]) -> Any:
        pairs = zip(_values(self.actions), _values(self._known(x)), strict=True)
        return rebuild(self.actions, [function(*pair) for pair in pairs])


def as_action(given: Action | Sequence[Action] | Mapping[str, Action]) -> Action:
    """An action as it is; a sequence or mapping of them as `Parts`."""
    return given if isinstance(given, Action) else Parts(given)


def flatten(x: Any) -> list:
    """The parts of a tuple or dict, however deep, in order; anything else is one part."""
    if isinstance(x, Mapping | tuple | list):
        return [part for value in _values(x) for part in flatten(value)]
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


def _values(x: Any) -> tuple:
    return tuple(x.values()) if isinstance(x, Mapping) else tuple(x)
