"""The lines that a run prints: a heading, and at most 80 columns for each epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isnan
from typing import Any, NamedTuple

from .module import VIEWS

WIDTH = 80
TARGETS = EXTENTS = 3  # at most so many of each
LONGEST = 13  # characters of a column's heading


class Column(NamedTuple):
    """A heading and the metrics.csv columns whose values stand below it."""

    heading: str
    names: tuple[str, ...]
    places: int | None = None  # decimals; None for three digits
    width: int = 6


class EpochLines:
    """The heading of a run and a line for each of its rows.

    Targets and extents beyond those that fit are left out; metrics.csv has all of them.
    """

    def __init__(
        self, targets: Sequence[str], units: Sequence[str], extents: Mapping[str, str]
    ) -> None:
        shown = {name: unit for name, unit in list(extents.items())[:EXTENTS]}
        learned = [_column(name, (f"extent_{name}",), 2, 4) for name in shown]
        ends = Column("epoch", ("epoch",), 0, 5), Column("s", ("seconds",), 0, 5)
        columns = [ends[0], Column("loss", ("train_loss",)), *learned, ends[1]]
        made = list[Column]()
        for name, unit in list(zip(targets, units, strict=True))[:TARGETS]:
            both = f"{name} ({unit})"
            heading = both if unit and len(both) <= LONGEST else name
            column = _column(heading, tuple(f"{name}_{view}" for view in VIEWS), None, 11)
            if made and _length([*columns, *made, column]) > WIDTH:
                break
            made.append(column)
        self.columns = [*columns[:2], *made, *columns[2:]]
        parts = [f"Validation errors are {' / '.join(VIEWS)}"] if targets else []
        if shown:
            unit = f" ({next(iter(shown.values()))})" if len({*shown.values()}) == 1 else ""
            parts.append(f"{', '.join(shown)}: learned half-widths{unit}")
        self.legend = "; ".join(parts) + "."

    def heading(self) -> str:
        """The legend, and a line of column headings."""
        row = "  ".join(f"{c.heading:>{c.width}}" for c in self.columns)
        return f"{self.legend}\n{row}" if len(self.legend) > 1 else row

    def line(self, row: Mapping[str, Any]) -> str:
        """One epoch's row of metrics.csv."""
        cells = ("/".join(_shown(row.get(n), c.places) for n in c.names) for c in self.columns)
        return "  ".join(f"{x:>{c.width}}" for x, c in zip(cells, self.columns, strict=True))


def _column(heading: str, names: tuple[str, ...], places: int | None, width: int) -> Column:
    text = heading if len(heading) <= LONGEST else heading[: LONGEST - 3] + "..."
    return Column(text, names, places, max(width, len(text)))


def _length(columns: Sequence[Column]) -> int:
    return sum(c.width for c in columns) + 2 * (len(columns) - 1)


def _shown(value: float | None, places: int | None) -> str:
    if value is None or isnan(value):
        return "-"
    if places is not None:
        return f"{value:.{places}f}"
    return f"{value:.0f}" if 1000 <= abs(value) < 1e5 else f"{value:.3g}"
