"""The settings of what is found by name: a model, a group, a distribution, a task."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from ..errors import unknown
from ..names import external


def one_line(kind: type) -> str:
    """The first line of a class's docstring."""
    return (inspect.getdoc(kind) or "").split("\n")[0]


def explain(
    name: str, known: Mapping[str, Any], what: str, flag: str, skip: int = 1, maker: Any = None
) -> None:
    """Print what `name` is, its settings with their defaults, and how to give them.

    `known` has the classes by name; `maker` is what makes one, if not the class, and its first
    `skip` arguments are not the user's; "package.module:Name" is imported. Raises InputError for
    an unknown name.
    """
    if ":" in name:  # of one's own, "package.module:Name"
        known = {name: external(name)}
    if name not in known:
        raise unknown(what, name, known)
    kind = known[name]
    print(f"{name}: {inspect.getdoc(kind)}\n")
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
