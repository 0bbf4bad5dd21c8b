"""Benchmarks: the commands that make the tables and figures of README.md in this folder.

A benchmark is a package in this folder. Its `main` takes the command's flags as keyword arguments,
and its docstring explains them. `molinv bench --help` lists the benchmarks. They share these
files:

| file | contents |
|---|---|
| `grid.py` | many training runs: skip finished ones, resume, refuse other settings |
| `networks.py`, `faenet.py` | the registry of networks and methods that are compared |
| `environments.py`, `peers/` | other packages' networks, in virtual environments of their own |
| `flags.py` | parse lists of names, positive numbers and devices |
| `turns.py`, `steps.py`, `memory.py`, `batches.py` | timing, timed steps, memory, molecules |
| `report.py` | tables, figures, JSON, and the machine that numbers were measured on |
"""

import ast
import importlib
import pkgutil
from pathlib import Path

from ..errors import unknown


def available() -> list[str]:
    """Names of the benchmarks, with dashes in place of the folders' underscores."""
    found = pkgutil.iter_modules(__path__)
    return sorted(
        module.name.replace("_", "-") for module in found if module.ispkg and module.name != "peers"
    )


def find(name: str):
    """The module of a benchmark, which defines `main`; raises InputError for an unknown name."""
    if name.replace("_", "-") not in available():
        raise unknown("benchmark", name, available())
    return importlib.import_module(f"{__name__}.{name.replace('-', '_')}")


def summaries() -> dict[str, str]:
    """The first line of each benchmark's docstring, read without importing the benchmark."""
    made = {}
    for name in available():
        path = Path(__file__).parent / name.replace("-", "_") / "__init__.py"
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
        made[name] = (text or "").split("\n")[0]
    return made
