"""Predictions as a table for people: each value with its uncertainty in one short cell.

A row is a molecule and a column a target where that fits the screen. Otherwise a row is a target
and a column a molecule, in as many blocks as it takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import ceil, floor, isfinite, log10
from typing import Any

import numpy as np
from rich import box
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

from ..chem.structure import EMBEDDED, GIVEN, HYDROGENS
from ..datasets.targets import Target
from .fields import ENDS, unit_of
from .predictor import GEOMETRY, Predictor

NAME = 24  # characters of a name in one line, or a third of a wide screen
HEADING = 14  # characters of a name in one line above a column
PADDING = (2, 1)  # spaces between columns, the second where the first is too wide

SHOWN = {GIVEN: "given", EMBEDDED: "RDKit", HYDROGENS: "H added"}

Rows = Sequence[dict[str, Any]]


def table(rows: Rows, predictor: Predictor, width: int = 80, sign: str = "±") -> RenderableType:
    """Rows of `Predictor.predict` as one or more tables that are at most `width` wide.

    A cell has the value and, after `sign`, what `uncertainty` says. A molecule outside the
    applicability domain has an asterisk, and a question mark after the sign.
    """
    of = uncertainty(rows, predictor.targets)
    known = meaning(rows, predictor.targets) is not None
    cells = list[list[str]]()
    for row in rows:
        lost = f" {sign} ?" if row["outside"] and known else ""
        errors = [None if lost else of(row, t) for t in predictor.targets]
        made = zip(predictor.targets, errors, strict=True)
        cells.append([_cell(row, t, error, sign) + lost for t, error in made])
    for space in PADDING:
        if _width(made := _by_molecule(rows, predictor, cells, width, space)) <= width:
            return made
    blocks, start = list[RenderableType](), 0
    while start < len(rows):
        end, made = min(len(rows), start + width // 8), None
        while made is None or (end > start + 1 and _width(made) > width):
            end -= made is not None
            made = _by_target(rows[start:end], predictor, cells[start:end], _kinds(rows))
        blocks, start = [*blocks, made], end
    return blocks[0] if len(blocks) == 1 else Group(*blocks)


def meaning(rows: Rows, targets: Sequence[Target]) -> str | None:
    """The meaning of the numbers after ±: "interval", "members", or None if there are none."""
    if any(_half_width(row, t) is not None for row in rows for t in targets):
        return "interval"
    among = any(row.get(f"{t.name}_ensemble_std") is not None for row in rows for t in targets)
    return "members" if among else None


def uncertainty(
    rows: Rows, targets: Sequence[Target]
) -> Callable[[dict[str, Any], Target], float | None]:
    """A function that returns the number after ± of a row and a target (see `meaning`).

    The half-width is that of the smallest interval around the value that contains the 90 %
    prediction interval, whose ends need not be equally far from the value.
    """
    if meaning(rows, targets) == "interval":
        return _half_width
    return lambda row, target: row.get(f"{target.name}_ensemble_std")


def number(value: float, error: float | None, least: int = 4) -> str:
    """A number to the second digit of its error, or to `least` significant digits without one."""
    if not isfinite(value):
        return "-"
    if error is None or not isfinite(error) or error <= 0:
        size = floor(log10(abs(value))) if value else least - 1
        places = max(0, least - 1 - size)
    else:
        places = max(0, 1 - floor(log10(error)))
    if places > 6 or abs(value) >= 1e9:
        return f"{value:.{least}g}"
    return f"{round(value, places) + 0.0:.{places}f}"  # + 0.0: no -0


def geometry(row: dict[str, Any]) -> str:
    """Where a row's coordinates came from, in a word."""
    kind = next(SHOWN[kind] for kind, name in GEOMETRY.items() if name == row["geometry"])
    return f"{kind}, {row['conformers']} conformers" if row.get("conformers") else kind


def _kinds(rows: Rows) -> list[str]:
    there = {row["geometry"] for row in rows}
    return [kind for kind, name in GEOMETRY.items() if name in there]


def _half_width(row: dict[str, Any], target: Target) -> float | None:
    low, high, radius = (row.get(f"{target.name}_{end}") for end in ("low", "high", "radius"))
    if radius is not None or low is None or high is None:
        return radius
    return max(high - row[target.name], row[target.name] - low)


def _cell(row: dict[str, Any], target: Target, error: float | None, sign: str) -> str:
    name = target.name
    if target.kind == "class":
        value = f"{row[name]:.2f}"
        text = value if len(target.classes) == 2 else f"{row[f'{name}_class']} {value}"
        return escape(text if error is None else f"{text} {sign} {error:.2f}")
    if target.by_atom:
        flat = np.asarray(row[name], dtype=float)
        ends = (number(float(end), error, 3) for end in (flat.min(), flat.max()))
        text = f"{len(row[name])} atoms, {' to '.join(ends)}"
    elif target.kind == "scalar":
        text = number(row[name], error)
    else:
        entries = [number(row[f"{name}{end}"], error, 3) for end, _ in ENDS[target.kind]]
        text = f"({', '.join(entries)})"
    return escape(text if error is None else f"{text} {sign} {number(error, error)}")


def _by_molecule(
    rows: Rows, predictor: Predictor, cells: Sequence[Sequence[str]], width: int, space: int
) -> Table:
    kinds, made = _kinds(rows), _empty(space)
    errors = _errors(predictor, kinds)
    several = len(kinds) > 1 or any(row.get("conformers") for row in rows)
    names = [SHOWN[kind] for kind, each in errors if each]
    foot = "\n".join("test MAE" for _ in names)
    made.add_column("molecule", foot, overflow="fold", max_width=max(NAME, width // 3))
    if several:
        made.add_column("geometry", "\n".join(names))
    for target in predictor.targets:
        heading = "\n".join(filter(None, (target.name, unit_of(target))))
        known = [_error(each, target) for _, each in errors if each]
        made.add_column(escape(heading), "\n".join(known), justify="right")
    made.show_footer = bool(names)
    for row, values in zip(rows, cells, strict=True):
        first = [escape(marked(row)), geometry(row)] if several else [escape(marked(row))]
        made.add_row(*first, *values)
    return made


def _by_target(
    rows: Rows, predictor: Predictor, cells: Sequence[Sequence[str]], kinds: Sequence[str]
) -> Table:
    made = _empty(PADDING[0])
    made.add_column("target")
    if any(unit_of(target) for target in predictor.targets):
        made.add_column("unit", overflow="fold")
    several = len(kinds) > 1 or any(row.get("conformers") for row in rows)
    for row, values in zip(rows, cells, strict=True):
        wide = max(HEADING, *map(len, values))
        heading = _folded(row, wide)
        made.add_column(f"{heading}\n{geometry(row)}" if several else heading, justify="right")
    errors = [(kind, each) for kind, each in _errors(predictor, kinds) if each]
    for kind, _ in errors:
        which = f"\n{SHOWN[kind]}" if len(kinds) > 1 else ""
        made.add_column(f"test\nMAE{which}", justify="right")
    for j, target in enumerate(predictor.targets):
        label = [escape(target.name)]
        if len(made.columns) - len(rows) - len(errors) > 1:
            label.append(escape(unit_of(target)))
        made.add_row(
            *label, *(values[j] for values in cells), *(_error(each, target) for _, each in errors)
        )
    return made


def _empty(space: int) -> Table:
    return Table(box=box.SIMPLE, show_edge=False, padding=(0, space - 1, 0, 0), pad_edge=False)


def _errors(predictor: Predictor, kinds: Iterable[str]) -> list[tuple[str, dict[str, float]]]:
    return [(kind, predictor.of_kind(kind).errors_of(kind)) for kind in kinds]


def _error(errors: dict[str, float], target: Target) -> str:
    error = errors.get(target.name)
    return "-" if error is None else f"{error:.3g}"


def marked(row: dict[str, Any]) -> str:
    """A molecule's name, with an asterisk outside the applicability domain."""
    return f"{row['name']} *" if row["outside"] else row["name"]


def _folded(row: dict[str, Any], width: int) -> str:
    """A name in equal lines of at most so many characters."""
    text = marked(row)
    step = ceil(len(text) / ceil(len(text) / width)) if text else 1
    return escape("\n".join(text[i : i + step] for i in range(0, len(text), step)))


def _width(made: Table) -> int:
    console = Console(width=100_000)
    return Measurement.get(console, console.options, made).maximum
