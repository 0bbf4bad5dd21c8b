"""Predictions with everything that is known of them: a table for each molecule."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan
from typing import Any

import numpy as np
from rich import box
from rich.console import Group
from rich.markup import escape
from rich.table import Table

from ..datasets.targets import Target
from .fields import ENDS, unit_of
from .predictor import Predictor
from .screen_table import geometry, marked, number

Rows = Sequence[dict[str, Any]]
SPREADS = {"std": "rotations", "ensemble_std": "members", "conformer_std": "conformers"}


def details(rows: Rows, predictor: Predictor) -> Group:
    """Rows of `Predictor.predict` with intervals, standard deviations and test errors."""
    targets = predictor.targets
    spreads = [end for end in SPREADS if any(_known(rows, t, end) for t in targets)]
    bounded = any(_known(rows, t, end) for t in targets for end in ("low", "radius"))
    tested = any(_known(rows, t, "mae") for t in targets)
    parts = [end for end, there in (("interval", bounded), ("mae", tested)) if there]
    return Group(*(_table(row, targets, spreads, parts) for row in rows))


def _table(
    row: dict[str, Any], targets: Sequence[Target], spreads: Sequence[str], parts: Sequence[str]
) -> Table:
    title = escape(f"{marked(row)} ({geometry(row)})")
    made = Table(title=title, title_justify="left", box=box.SIMPLE, show_edge=False, pad_edge=False)
    made.padding = (0, 1, 0, 0)
    made.add_column("target", overflow="fold")
    headings = ["value", *(["90 % interval"] if "interval" in parts else [])]
    headings += [f"std over\n{SPREADS[end]}" for end in spreads]
    for heading in headings + (["test\nMAE"] if "mae" in parts else []):
        made.add_column(heading, justify="right")
    made.add_column("unit")
    for target in targets:
        name, cells = target.name, [_value(row, target)]
        cells += [_interval(row, target)] if "interval" in parts else []
        cells += [_short(row.get(f"{name}_{end}")) for end in spreads]
        cells += [_short(row.get(f"{name}_mae"), 3)] if "mae" in parts else []
        made.add_row(escape(name), *map(escape, cells), escape(unit_of(target)))
    return made


def _known(rows: Rows, target: Target, end: str) -> bool:
    return any(row.get(f"{target.name}_{end}") is not None for row in rows)


def _value(row: dict[str, Any], target: Target) -> str:
    name = target.name
    if target.kind == "class":
        several = len(target.classes) > 2
        return f"{row[f'{name}_class']} {row[name]:.3f}" if several else f"{row[name]:.3f}"
    if target.by_atom:
        flat = np.asarray(row[name], dtype=float)
        return f"{len(flat)} atoms, {flat.min():.3g} to {flat.max():.3g}"
    if target.kind == "scalar":
        return number(row[name], None, 5)
    return f"({', '.join(f'{row[name + end]:.4g}' for end, _ in ENDS[target.kind])})"


def _interval(row: dict[str, Any], target: Target) -> str:
    low, high, radius = (row.get(f"{target.name}_{end}") for end in ("low", "high", "radius"))
    if radius is not None:
        return f"within {radius:.3g}"
    if low is None or high is None:
        return "-"
    return f"{number(low, high - low)} to {number(high, high - low)}"


def _short(value: float | None, digits: int = 2) -> str:
    return "-" if value is None or isnan(value) else f"{value:.{digits}g}"
