"""Show and save results: tables, figures, JSON, and the machine they were measured on."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from .. import __version__
from ..atomic import atomic_write
from ..training.saved import write_json
from .turns import Spread


def wide(width: int = 140) -> Console:
    """A console that is wide enough not to wrap the columns of a table in a log."""
    console = Console()
    if not console.is_terminal:
        console.width = width
    return console


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    title: str | None = None,
    caption: str | None = None,
    left: Sequence[int] = (0,),
) -> Table:
    """A table to print; the columns numbered in `left` are text, the others numbers."""
    made = Table(title=title, caption=caption)
    for i, column in enumerate(columns):
        made.add_column(column, justify="left" if i in left else "right")
    for row in rows:
        made.add_row(*row)
    return made


def interval(value: Spread, form: str = ".2f", unit: str = "") -> str:
    """The median with the lowest and highest round; a single round has no range."""
    between = f" ({value.low:{form}} to {value.high:{form}})" if value.low != value.high else ""
    return f"{value.median:{form}}{unit}{between}"


def over_seeds(values: Sequence[float], form: str = ".1f", none: str = "") -> str:
    """Mean ± standard deviation as text; `none` for no values."""
    if not values:
        return none
    return f"{mean(values):{form}}" + (f" ± {stdev(values):{form}}" if len(values) > 1 else "")


def diverged(count: int) -> str:
    """How many runs a row lacks, as text after what it says; empty for none."""
    return f" ({count} diverged)" if count else ""


def write_markdown(
    path: Path, *tables: tuple[Sequence[str], Iterable[Sequence[str]]], after: str = ""
) -> None:
    """Write tables (columns, rows) as Markdown with a text after them, atomically."""
    lines: list[str] = []
    for columns, rows in tables:
        lines += ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
        lines += ["| " + " | ".join(row) + " |" for row in rows] + [""]
    with atomic_write(path) as temporary:
        temporary.write_text("\n".join([*lines, *([after, ""] if after else [])]), encoding="utf-8")


def save(figure: Figure, path: Path) -> Path:
    """Write a figure as PNG."""
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=150, format="png")
    return path


def write(path: Path, content: dict[str, Any]) -> Path:
    """Write results as JSON, creating the folder if needed.

    A spread is written as an object with median, low and high.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, plain(content))
    return path


def plain(found: Any) -> Any:
    """The same content with JSON's types; tuple keys become nested objects."""
    if isinstance(found, Spread):
        return found._asdict()
    if not isinstance(found, dict):
        return found
    made = {}
    for key, value in found.items():
        *path, last = key if isinstance(key, tuple) else (key,)
        at = made
        for part in path:
            at = at.setdefault(str(part), {})
        at[str(last)] = plain(value)
    return made


def facts(**more: Any) -> dict[str, Any]:
    """The machine and versions of a table of accuracies."""
    found = {"machine": processor(), "torch": torch.__version__}
    return found | {"threads": torch.get_num_threads()} | more


def machine(device: torch.device | str = "cpu") -> dict[str, str]:
    """The machine and versions of a table of rates."""
    versions = {"torch": torch.__version__, "molinv": __version__}
    if torch.device(device).type == "cuda":
        return {"device": torch.cuda.get_device_name(device)} | versions
    return {"device": processor(), "threads": str(torch.get_num_threads())} | versions


def processor() -> str:
    """Name of the processor."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    names = (row.split(":")[1].strip() for row in lines if "model name" in row)
    return next(names, platform.processor() or platform.machine())
