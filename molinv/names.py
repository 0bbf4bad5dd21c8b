"""From a name to a class: a file in the right folder is found, nothing is registered."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from types import ModuleType
from typing import Any

from .errors import InputError, unknown


def classes(package: ModuleType, base: type) -> dict[str, type]:
    """The concrete subclasses of `base` defined in the modules of `package`, by class name."""
    found = {}
    for info in sorted(pkgutil.iter_modules(package.__path__), key=lambda m: m.name):
        module = importlib.import_module(f"{package.__name__}.{info.name}")
        for name, value in vars(module).items():
            if (
                isinstance(value, type)
                and issubclass(value, base)
                and value.__module__ == module.__name__
                and not inspect.isabstract(value)
                and value is not base
            ):
                found[name] = value
    return dict(sorted(found.items()))


def external(spec: str):
    """The object that "package.module:Name" names; raises InputError if it cannot be imported."""
    module, _, name = spec.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise InputError(
            f"cannot import {spec!r} ({error}): expected 'package.module:Name' of something "
            "on the Python path."
        ) from error


def find(kind: str, name: str, package: ModuleType, base: type) -> type:
    """The class called `name` in `package`, or the one that "package.module:Name" names."""
    if ":" in name:
        found = external(name)
        if isinstance(found, base) or (isinstance(found, type) and issubclass(found, base)):
            return found  # pyright: ignore[reportReturnType]
        raise InputError(f"{name!r} is not a {kind}: expected a {base.__name__}.")
    known = classes(package, base)
    if name not in known:
        raise unknown(kind, name, known)
    return known[name]


def make(kind: str, text: str, package: ModuleType, base: type) -> Any:
    """An instance from text such as "SO3", "Cyclic(4)" or "package.module:Name"."""
    match = re.fullmatch(r"\s*([\w.]+(?::\w+)?)\s*(?:\(\s*(\d+(?:\s*,\s*\d+)*)?\s*\))?\s*", text)
    if match is None:
        raise InputError(
            f"cannot read the {kind} {text!r}: expected a name such as SO3, T(3) or "
            "package.module:Name."
        )
    found = find(kind, match[1], package, base)
    if isinstance(found, base):
        return found
    try:
        return found(*(int(a) for a in (match[2] or "").split(",") if a))
    except TypeError as error:
        raise InputError(
            f"cannot make the {kind} {text!r}: {error}; write its whole numbers in brackets, "
            f"as in Cyclic(4)."
        ) from error


def construct(kind: type, what: str, first: tuple, settings: dict[str, Any]) -> Any:
    """kind(*first, **settings); raises InputError that names a setting that it does not know."""
    parameters = list(inspect.signature(kind).parameters.values())
    known = [p.name for p in parameters[len(first) :]]
    if not any(p.kind is p.VAR_KEYWORD for p in parameters):
        for name in settings:
            if name not in known:
                raise unknown(f"setting of {what}:", name, known)
    try:
        return kind(*first, **settings)
    except InputError:
        raise
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"cannot make the {what} with {settings}: {error}") from error


def outside(settings: Any) -> list[str]:
    """Every "package.module:Name" in settings, however deep: code that is not molinv's."""
    if isinstance(settings, dict):
        settings = list(settings.values())
    if isinstance(settings, list | tuple):
        return [name for value in settings for name in outside(value)]
    return [settings] if isinstance(settings, str) and ":" in settings else []
