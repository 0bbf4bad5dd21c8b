"""Print the settings of a model, group, distribution or task, found by name."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from ..errors import unknown
from ..names import external


def one_line(kind: type) -> str:
    """First line of a class's docstring."""
    return _doc(kind).split("\n")[0]


def _doc(kind: Any) -> str:
    """The docstring of a class itself, not one that it inherits."""
    return inspect.cleandoc(kind.__doc__ or "(it has no docstring)")


def explain(
    name: str, known: Mapping[str, Any], what: str, flag: str, skip: int = 1, maker: Any = None
) -> None:
    """Print the docstring of `name`, its settings with their defaults, and how to give them.

    `known` maps names to classes; "package.module:Name" is imported. `maker` is the callable that
    has the settings, by default the class; its first `skip` arguments are not settings. Raises
    InputError for an unknown name.
    """
    if ":" in name:  # the user's own class, "package.module:Name"
        known = {name: external(name)}
    if name not in known:
        raise unknown(what, name, known)
    kind = known[name]
    print(f"{name}: {_doc(kind)}\n")
    parameters = [
        p
        for i, p in enumerate(inspect.signature(maker or kind).parameters.values())
        if i >= skip and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    if not parameters:
        print(f"No settings: {flag} {name}")
        return
    width = max(len(p.name) for p in parameters) + 2
    print("settings:")
    for p in parameters:
        usual = "no default" if p.default is p.empty else repr(p.default)
        print(f"  {p.name:<{width}}{_type(p)}, {usual}")


def _type(parameter: inspect.Parameter) -> str:
    kind = parameter.annotation
    return "any" if kind is parameter.empty else kind if isinstance(kind, str) else str(kind)
