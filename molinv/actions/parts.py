"""Objects of several parts that are moved together by one element."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from ..errors import InputError
from ..groups.base import Group
from .base import Action, Each, rebuild, values
from .cartesian import Points, Vector

Actions = Action | Sequence[Action] | Mapping[str, Action]


class Parts(Action):
    """A tuple or dict of objects with an action for each, such as positions and a field vector.

    `actions` is a sequence, for tuples in the same order, or a mapping, for dicts with the same
    keys. `pull_back` returns the parts' weights in the same form, or None if no part has weights.
    Raises InputError for objects whose parts do not match the actions.
    """

    def __init__(self, actions: Sequence[Action] | Mapping[str, Action] | None = None):
        actions = (Points(), Vector()) if actions is None else actions
        self.actions = dict(actions) if isinstance(actions, Mapping) else tuple(actions)

    def check(self, group: Group) -> None:
        """Raise InputError for a group that one of the parts refuses."""
        for action in values(self.actions):
            action.check(group)

    def act(self, group: Group, g: Each, x: Any) -> Any:
        """Every part moved by its own action."""
        return self._each(x, lambda action, part: action.act(group, g, part))

    def size(self, x: Any) -> int:
        """The number of examples of the first part."""
        return values(self.actions)[0].size(values(self._known(x))[0])

    def pull_back(self, group: Group, g: Each, y: Any, context: Any) -> tuple[Any, Any]:
        """Every part pulled back by its own action, and their weights."""
        weights = []

        def back(action: Action, part: Any) -> Any:
            value, weight = action.pull_back(group, g, part, context)
            weights.append(weight)
            return value

        moved = self._each(y, back)
        return moved, None if all(w is None for w in weights) else rebuild(moved, weights)

    def example(self, generator: torch.Generator, group: Group, n: int = 4) -> Any:
        """An example of every part."""
        parts = [action.example(generator, group, n) for action in values(self.actions)]
        return rebuild(self.actions, parts)

    def _known(self, x: Any) -> Any:
        """x with its parts in the actions' order; raises InputError if they do not match."""
        if isinstance(self.actions, dict):
            if isinstance(x, Mapping) and set(x) == set(self.actions):
                return {name: x[name] for name in self.actions}
            came = f"parts {', '.join(map(str, x))}" if isinstance(x, Mapping) else type(x).__name__
            raise InputError(
                f"Parts: expected a dict with the parts {', '.join(self.actions)}, each of which "
                f"has an action, got {came}: give every part an action (Invariant() for a part "
                "that does not move)."
            )
        if isinstance(x, tuple | list) and len(x) == len(self.actions):
            return tuple(x)
        came = f"{len(x)} parts" if isinstance(x, tuple | list) else type(x).__name__
        raise InputError(
            f"Parts: expected a tuple of {len(self.actions)} parts, one for each action, got "
            f"{came}."
        )

    def _each(self, x: Any, function: Callable[[Action, Any], Any]) -> Any:
        pairs = zip(values(self.actions), values(self._known(x)), strict=True)
        return rebuild(self.actions, [function(*pair) for pair in pairs])


def as_action(given: Actions) -> Action:
    """The action given, or `Parts` for a sequence or mapping of actions.

    Raises InputError for anything else.
    """
    if isinstance(given, Action):
        return given
    several = values(given) if isinstance(given, Mapping | tuple | list) else ()
    if several and all(isinstance(action, Action) for action in several):
        return Parts(given)  # pyright: ignore[reportArgumentType]
    raise InputError(
        f"expected an action such as Points(), or a tuple or dict of them, got {given!r}."
    )
