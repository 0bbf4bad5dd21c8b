"""Benchmarks: the commands behind the README's tables.

demo   the main job on a few thousand molecules, in minutes
"""

import importlib
import pkgutil

from ..errors import unknown


def available() -> list[str]:
    """The names of the benchmarks in this folder."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def find(name: str):
    """The module of a benchmark, which has `main(out)`; raises InputError for an unknown one."""
    if name not in available():
        raise unknown("benchmark", name, available())
    return importlib.import_module(f"{__name__}.{name}")
