"""Sections of a report: sentences, figures, tables and numbers.

analysis.json holds them, and the page draws them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Literal

import numpy as np
from torch import Tensor

Style = Literal["line", "dashed", "points", "bar"]


@dataclass(frozen=True)
class Series:
    """A line, points or bars, with numbers or names on x; `low` and `high` bound intervals of y."""

    label: str
    x: Sequence[float] | Sequence[str]
    y: Sequence[float]
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None
    style: Style = "line"


@dataclass(frozen=True)
class Chart:
    """Series on common axes; `x` and `y` label them with units.

    Of figures with one `name`, the page shows that of the chosen `quantity`.
    """

    name: str
    title: str
    x: str
    y: str
    series: Sequence[Series]
    caption: str = ""
    log_x: bool = False
    log_y: bool = False
    vertical: Sequence[tuple[float, str]] = ()  # vertical lines at x, with labels
    quantity: str = ""


@dataclass(frozen=True)
class Globe:
    """Values over directions on a sphere: `values[i][j]` at latitude i and longitude j (degrees).

    Longitude 0 is x, latitude 90 z. `pos` (n, 3) in angstrom and `z` (n,) are atoms inside.
    """

    name: str
    title: str
    unit: str
    latitude: Sequence[float]
    longitude: Sequence[float]
    values: Sequence[Sequence[float]]
    caption: str = ""
    pos: Sequence[Sequence[float]] = ()
    z: Sequence[int] = ()
    quantity: str = ""


Figure = Chart | Globe


@dataclass(frozen=True)
class Grid:
    """A table; numbers are shown with four digits."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


@dataclass
class Section:
    """One part of a report.

    name      key in analysis.json
    findings  sentences
    numbers   content for analysis.json
    missing   one sentence on why the section could not be made, or None
    reading   how to read the figures
    top       whether the figures are shown beside the verdict
    """

    name: str
    title: str
    findings: list[str] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    tables: list[Grid] = field(default_factory=list)
    numbers: dict[str, Any] = field(default_factory=dict)
    missing: str | None = None
    reading: str = ""
    top: bool = False

    def chart(
        self, name: str, title: str, x: str, y: str, series: Sequence[Series], **rest: Any
    ) -> None:
        """Add a Chart."""
        self.figures.append(Chart(name, title, x, y, series, **rest))

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Add a Grid."""
        self.tables.append(Grid(title, columns, rows))


def over_epochs(label: str, rows: Iterable[Mapping[str, float]], column: str) -> Series | None:
    """A column of metrics.csv by epoch, without missing values; None if all are missing."""
    known = [row for row in rows if "epoch" in row and isfinite(row.get(column, float("nan")))]
    if not known:
        return None
    return Series(label, [row["epoch"] for row in known], [row[column] for row in known])


def plain(value: Any) -> Any:
    """A value for JSON: tensors and arrays become lists, NaN and infinity None."""
    match value:
        case Tensor() | np.ndarray() | np.generic():
            return plain(value.tolist())
        case float():
            return float(value) if isfinite(value) else None
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
    return value
