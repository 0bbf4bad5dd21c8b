"""Benchmarks: the commands behind the README's tables.

A file in this folder with a `main` is one, found by its name; its keyword arguments are the
command's flags, explained by its docstrings. `molinv bench --help` lists them.
"""

import ast
import importlib
import pkgutil
from importlib.util import find_spec
from pathlib import Path

from ..errors import unknown

_SHARED = (
    "batches",
    "contenders",
    "equal_time_results",
    "faenet",
    "listed",
    "memory",
    "methods",
    "picture_results",
    "picture_tasks",
    "potential_measures",
    "recover_results",
    "recover_tasks",
    "steps",
    "throughput_pictures",
    "throughput_results",
    "throughput_tasks",
    "turns",
)


def available() -> list[str]:
    """The names of the benchmarks in this folder, with dashes for the files' underscores."""
    names = [module.name for module in pkgutil.iter_modules(__path__)]
    return sorted(name.replace("_", "-") for name in names if name not in _SHARED)


def find(name: str):
    """The module of a benchmark, which has `main`; raises InputError for an unknown one."""
    if name.replace("_", "-") not in available():
        raise unknown("benchmark", name, available())
    return importlib.import_module(f"{__name__}.{name.replace('-', '_')}")


def summaries() -> dict[str, str]:
    """The first line of each benchmark's docstring, read without loading what it needs."""
    made = {}
    for name in available():
        spec = find_spec(f"{__name__}.{name.replace('-', '_')}")
        assert spec is not None
        assert spec.origin is not None
        text = ast.get_docstring(ast.parse(Path(spec.origin).read_text(encoding="utf-8")))
        made[name] = (text or "").split("\n")[0]
    return made
