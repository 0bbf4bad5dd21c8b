"""Find classes by name: a class is found if its file is in the right folder, without a registry."""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import pkgutil
import sys
from collections.abc import Iterable
from types import ModuleType
from typing import Any

from .errors import InputError, unknown


def classes(package: ModuleType, base: type) -> dict[str, type]:
    """The concrete subclasses of `base` defined in the modules of `package`, by class name."""
    found = {}
    for info in sorted(pkgutil.iter_modules(package.__path__), key=lambda m: m.name):
        found |= defined(importlib.import_module(f"{package.__name__}.{info.name}"), base)
    return dict(sorted(found.items()))


def defined(module: ModuleType, base: type) -> dict[str, type]:
    """The concrete subclasses of `base` that a module itself defines, by class name."""
    return {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, type)
        and issubclass(value, base)
        and value.__module__ == module.__name__
        and not inspect.isabstract(value)
        and value is not base
        and not name.startswith("_")
    }


def deriving(path: Iterable[str], base: str) -> list[str]:
    """The modules in the folders `path` that define a public class derived from `base`.

    Reads the source without importing it, so that listing names does not load the libraries that
    the modules need. Base classes are followed by name through all the modules. Classes derived
    directly from ABC do not count.
    """
    bases: dict[tuple[str, str], set[str]] = {}
    for finder, module, _ in pkgutil.iter_modules(path):
        try:
            loader = finder.find_spec(module, None).loader  # pyright: ignore
            body = ast.parse(loader.get_source(module) or "").body  # pyright: ignore
        except (SyntaxError, ImportError):
            bases[module, module] = {base}  # list it: importing it will show the error
            continue
        imports = [alias for s in body if isinstance(s, ast.ImportFrom) for alias in s.names]
        renamed = {alias.asname: alias.name for alias in imports}
        for kind in body:
            if isinstance(kind, ast.ClassDef):
                names = [ast.unparse(b).rpartition(".")[2] for b in kind.bases]
                bases[module, kind.name] = {renamed.get(name, name) for name in names}
    family = {base}
    while more := {kind for (_, kind), of in bases.items() if of & family} - family:
        family |= more
    return sorted(
        {
            module
            for (module, kind), of in bases.items()
            if of & family and "ABC" not in of and not kind.startswith("_")
        }
    )


def external(spec: str):
    """The object that "package.module:Name" names; raises InputError if it cannot be imported."""
    module, _, name = spec.partition(":")
    if (here := os.getcwd()) not in sys.path and "" not in sys.path:
        sys.path.append(here)  # a file beside the user's data, as `python -m` would find it
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise InputError(
            f"cannot import {spec!r} ({error}): expected 'package.module:Name' of something "
            "in this folder or on the Python path."
        ) from error


def find(kind: str, name: str, package: ModuleType, base: type) -> type:
    """The class called `name` in `package`, or the object that "package.module:Name" names.

    `kind` is what error messages call it. Raises InputError for an unknown name, and for an object
    that is neither a subclass nor an instance of `base`.
    """
    if ":" in name:
        found = external(name)
        if isinstance(found, base) or (isinstance(found, type) and issubclass(found, base)):
            return found  # pyright: ignore[reportReturnType]
        raise InputError(f"{name!r} is not a {kind}: expected a {base.__name__}.")
    known = classes(package, base)
    if name not in known:
        raise unknown(kind, name, known)
    return known[name]


def construct(kind: type, what: str, first: tuple, settings: dict[str, Any]) -> Any:
    """Return kind(*first, **settings); error messages call the object `what`.

    Raises InputError for a setting that `kind` does not have, and where the call fails.
    """
    parameters = list(inspect.signature(kind).parameters.values())
    known = [
        p.name for i, p in enumerate(parameters) if i >= len(first) or p.kind is p.KEYWORD_ONLY
    ]
    if not any(p.kind is p.VAR_KEYWORD for p in parameters):
        for name in settings:
            if name not in known:
                raise unknown(f"setting of {what}:", name, known)
    try:
        return kind(*first, **settings)
    except InputError:
        raise
    except (
        TypeError,
        ValueError,
        RuntimeError,
        AttributeError,
        LookupError,
        ArithmeticError,
    ) as error:
        given, why = f" with {settings}" if settings else "", " ".join(str(error).split())
        raise InputError(f"cannot make the {what}{given}: {why}") from error


def outside(settings: Any) -> list[str]:
    """Every "package.module:Name" in nested settings: the names of code outside molinv."""
    if isinstance(settings, dict):
        settings = list(settings.values())
    if isinstance(settings, list | tuple):
        return [name for value in settings for name in outside(value)]
    return [settings] if isinstance(settings, str) and ":" in settings else []
