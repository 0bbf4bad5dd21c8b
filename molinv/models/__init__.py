"""Models: one file an architecture, found by the file's name.

    point   a transformer over atoms: absolute, displacement or distance geometry
    graph   a PyG message-passing network with vector edge attributes

A file in this folder that defines one Model is found by its name, and tested. An architecture
loads its libraries only when it is asked for.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil

from ..errors import unknown
from ..names import external

_SHARED = ("base", "features")


def available() -> list[str]:
    """The names of the architectures in this folder."""
    names = [module.name for module in pkgutil.iter_modules(__path__)]
    return sorted(name for name in names if name not in _SHARED)


def find(name: str) -> type:
    """The class of the model called `name`, or of "package.module:Name".

    Raises InputError for a name that does not exist, suggesting the nearest.
    """
    if ":" in name:
        return external(name)
    if name not in available():
        raise unknown("model", name, available())
    from .base import Model

    module = importlib.import_module(f"{__name__}.{name}")
    return next(
        value
        for value in vars(module).values()
        if inspect.isclass(value)
        and issubclass(value, Model)
        and value.__module__ == module.__name__
    )
