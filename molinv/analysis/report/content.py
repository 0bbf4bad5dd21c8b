"""Sections as JSON, numbers as text, and functions shared by charts and spheres."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from math import isfinite, nan
from typing import Any

import numpy as np
from torch import Tensor

from ...errors import InputError
from ..intervals import short
from ..section import Chart, Figure, Globe, Section, Series, plain

Cell = tuple[str, Figure]  # the name of a part, and its figure
Key = tuple[str, str]  # a figure's name and quantity
MINUS, DASH = "\N{MINUS SIGN}", "\N{EN DASH}"
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def show(value: Any) -> str:
    """The text of a table's cell: numbers with three digits, a dash for None."""
    match value:
        case None:
            return DASH
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}".replace("-", MINUS)
        case float():
            return _number(value) if isfinite(value) else DASH
        case Tensor() | np.generic():
            return show(value.tolist())
        case list() | tuple():
            return " to ".join(show(item) for item in value)
    return str(value)


def _number(value: float) -> str:
    if value and not 1e-3 <= abs(value) < 1e6:
        digits, exponent = f"{value:.2e}".split("e")
        return f"{digits} · 10{str(int(exponent)).translate(_SUPERSCRIPT)}".replace("-", MINUS)
    return short(value).replace("-", MINUS)


def as_json(
    verdict: Sequence[str], facts: Mapping[str, str], sections: Sequence[Section]
) -> dict[str, Any]:
    """The content of a report: verdict, facts, numbers, figures with their points, tables."""
    described = {}
    for key, section in named(sections):
        described[key] = asdict(section) | {
            "figures": [{"kind": type(f).__name__.lower(), **asdict(f)} for f in section.figures]
        }
    return plain({"verdict": list(verdict), "facts": dict(facts), "sections": described})


def named(sections: Sequence[Section]) -> Iterator[tuple[str, Section]]:
    """Sections with their names; InputError if two have the same name."""
    seen: set[str] = set()
    for section in sections:
        if section.name in seen:
            raise InputError(f"expected sections of different names, got {section.name!r} twice.")
        seen.add(section.name)
        yield section.name, section


def together(parts: Sequence[tuple[str, Sequence[Section]]]) -> dict[Key, list[Cell]]:
    """Figures by name and quantity, each with the name of its part.

    Raises InputError for two figures of one name and quantity in a part, figures of one name and
    different kinds, and lists of a chart with different lengths.
    """
    drawn: dict[Key, list[Cell]] = {}
    kinds: dict[str, type] = {}
    for part, sections in parts:
        for figure in (figure for _, section in named(sections) for figure in section.figures):
            cells = drawn.setdefault((figure.name, figure.quantity), [])
            if any(name == part for name, _ in cells):
                raise InputError(f"expected figures of different names, got {figure.name!r} twice.")
            if kinds.setdefault(figure.name, type(figure)) is not type(figure):
                raise InputError(
                    f"expected figures {figure.name!r} of one kind, got different ones."
                )
            for s in figure.series if isinstance(figure, Chart) else ():
                _check(figure.name, s)
            cells.append((part, figure))
    return drawn


def _check(name: str, s: Series) -> None:
    given = (s.x, s.y, s.x if s.low is None else s.low, s.x if s.high is None else s.high)
    if len({len(values) for values in given}) > 1 or (s.low is None) != (s.high is None):
        raise InputError(
            f"figure {name}: series {s.label!r} needs as many y, low and high as x, got "
            f"{', '.join(str(len(v)) for v in given)}."
        )


def limits(cells: Sequence[Cell]) -> tuple[float, float]:
    """The smallest and the largest value on spheres of one name."""
    globes = [figure for _, figure in cells if isinstance(figure, Globe)]
    values = [v for g in globes for row in g.values for v in row if isfinite(v)]
    return (min(values), max(values)) if values else (0.0, 0.0)


def categories(chart: Chart) -> list[str]:
    """The names on the x axis, in order; empty if it holds numbers."""
    return list(dict.fromkeys(x for s in chart.series for x in s.x if isinstance(x, str)))


def logarithmic(chart: Chart) -> Chart:
    """A chart without the values that its logarithmic axes cannot show.

    Values of 0 and below become gaps. An interval that reaches below 0 ends at the smallest shown
    value. analysis.json has all values.
    """
    if not (chart.log_x or chart.log_y):
        return chart
    held = [v for s in chart.series for part in (s.y, s.low or (), s.high or ()) for v in part]
    floor = min((v for v in held if v > 0), default=1.0)

    def positive(values: Sequence[Any], least: float = nan) -> list[Any]:
        return [v if isinstance(v, str) or v > 0 else v if v != v else least for v in values]

    made = []
    for s in chart.series:
        if chart.log_y:
            low, high = (None if e is None else positive(e, floor) for e in (s.low, s.high))
            s = replace(s, y=positive(s.y), low=low, high=high)
        made.append(replace(s, x=positive(s.x)) if chart.log_x else s)
    return replace(chart, series=made)
