"""What every part of an analysis is made of: sentences, figures, tables, numbers.

One description serves three times: analysis.json holds its numbers, the PNGs and the page's
interactive figures draw them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Series:
    """One line, set of points or set of bars; `low` and `high` bound an interval about y.

    x holds numbers, or names for bars.
    """

    label: str
    x: Sequence[float] | Sequence[str]
    y: Sequence[float]
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None
    style: Literal["line", "dashed", "points", "bar"] = "line"


@dataclass(frozen=True)
class Chart:
    """Series on common axes; `name` is its file's, `x` and `y` name the axes with their units."""

    name: str
    title: str
    x: str
    y: str
    series: Sequence[Series]
    caption: str = ""
    log_x: bool = False
    log_y: bool = False
    vertical: Sequence[tuple[float, str]] = ()  # marked places on the x axis


@dataclass(frozen=True)
class Sphere:
    """Values over viewing directions: `values[i][j]` at latitude i and longitude j (degrees)."""

    name: str
    title: str
    unit: str
    latitude: Sequence[float]
    longitude: Sequence[float]
    values: Sequence[Sequence[float]]
    caption: str = ""
    marks: Sequence[tuple[float, float, str]] = ()  # latitude, longitude, what is there


@dataclass(frozen=True)
class Drawing:
    """Molecules side by side as they are seen along the negative z axis, x right and y up.

    Each has a title, coordinates (n, 3) in angstrom and atomic numbers.
    """

    name: str
    title: str
    molecules: Sequence[tuple[str, Sequence[Sequence[float]], Sequence[int]]]
    caption: str = ""


@dataclass(frozen=True)
class Grid:
    """A table; numbers are shown with four digits."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


@dataclass
class Section:
    """One part of a report.

    `name` is its key in analysis.json, `findings` are sentences in plain words, `numbers` what
    JSON can hold; `missing` says in one sentence what could not be made, and why.
    """

    name: str
    title: str
    findings: list[str] = field(default_factory=list)
    figures: list[Chart | Sphere | Drawing] = field(default_factory=list)
    tables: list[Grid] = field(default_factory=list)
    numbers: dict[str, Any] = field(default_factory=dict)
    missing: str | None = None
