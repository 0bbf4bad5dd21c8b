"""Sections as what JSON can hold, and numbers as a reader sees them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from math import isfinite, nan
from typing import Any

import numpy as np
from torch import Tensor

from ...errors import InputError
from ..section import Chart, Drawing, Section, Sphere

Figure = Chart | Sphere | Drawing
MINUS, DASH = "\N{MINUS SIGN}", "\N{EN DASH}"
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def plain(value: Any) -> Any:
    """Tensors and arrays as lists; NaN and infinity, for which JSON has no word, as None."""
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


def show(value: Any) -> str:
    """A table's cell: numbers with four digits, nothing as a dash."""
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
    if value and not 1e-3 <= abs(value) < 1e7:
        digits, exponent = f"{value:.3e}".split("e")
        return f"{digits} · 10{str(int(exponent)).translate(_SUPERSCRIPT)}".replace("-", MINUS)
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return text.replace("-", MINUS)


def as_json(
    verdict: Sequence[str],
    facts: Mapping[str, str],
    sections: Sequence[Section],
    files: Mapping[str, str],
) -> dict[str, Any]:
    """Everything a report shows: numbers, figures with their points and files, tables."""
    return plain(
        {
            "verdict": list(verdict),
            "facts": dict(facts),
            "sections": {
                key: {
                    "title": section.title,
                    "missing": section.missing,
                    "findings": section.findings,
                    "numbers": section.numbers,
                    "figures": [
                        {"kind": type(f).__name__.lower(), "file": files[f.name], **asdict(f)}
                        for f in section.figures
                    ],
                    "tables": [asdict(table) for table in section.tables],
                }
                for key, section in named(sections)
            },
        }
    )


def named(sections: Sequence[Section]) -> Iterator[tuple[str, Section]]:
    """Sections with their names; raises InputError where two have the same."""
    seen: set[str] = set()
    for section in sections:
        if section.name in seen:
            raise InputError(f"expected sections of different names, got {section.name!r} twice.")
        seen.add(section.name)
        yield section.name, section


def figures(sections: Sequence[Section]) -> list[Figure]:
    """All figures, in order; raises InputError where two have the same name, or one does not fit.

    A name is a file's: two of the same would overwrite each other.
    """
    found = [figure for _, section in named(sections) for figure in section.figures]
    names = [figure.name for figure in found]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"expected figures of different names, got {name!r} twice.")
    for figure in found:
        if isinstance(figure, Chart):
            _check(figure)
    return found


def _check(chart: Chart) -> None:
    for s in chart.series:
        given = (s.x, s.y, s.x if s.low is None else s.low, s.x if s.high is None else s.high)
        if len({len(values) for values in given}) > 1 or (s.low is None) != (s.high is None):
            raise InputError(
                f"figure {chart.name}: series {s.label!r} needs as many y, low and high as x, got "
                f"{', '.join(str(len(v)) for v in given)}."
            )


def logarithmic(chart: Chart) -> Chart:
    """A chart without what its logarithmic axes have no place for.

    Values of 0 and below become gaps; an interval that reaches there ends at the smallest value
    that is shown. analysis.json keeps all of them.
    """
    if not (chart.log_x or chart.log_y):
        return chart
    held = [v for s in chart.series for part in (s.y, s.low or (), s.high or ()) for v in part]
    floor = min((v for v in held if v > 0), default=1.0)
    made = []
    for s in chart.series:
        x, y, low, high = s.x, s.y, s.low, s.high
        if chart.log_x:
            x = [v if isinstance(v, str) or v > 0 else nan for v in s.x]
        if chart.log_y:
            y = [v if v > 0 else nan for v in s.y]
            low = None if low is None else [v if v > 0 or v != v else floor for v in low]
            high = None if high is None else [v if v > 0 or v != v else floor for v in high]
        made.append(replace(s, x=x, y=y, low=low, high=high))
    return replace(chart, series=made)


def file_names(names: Sequence[str]) -> dict[str, str]:
    """The PNG of each figure: letters, digits, dots and dashes of its name, all different."""
    made: dict[str, str] = {}
    for name in names:
        stem = re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-.")[:80] or "figure"
        number, chosen = 2, stem
        while f"{chosen}.png".lower() in (taken.lower() for taken in made.values()):
            chosen, number = f"{stem}-{number}", number + 1
        made[name] = f"{chosen}.png"
    return made


def tabs(titles: Sequence[str]) -> list[str]:
    """Titles without the words that all of them begin with: on a tab these would hide the rest."""
    words = [title.split() for title in titles]
    shared = 0
    for column in zip(*words, strict=False):
        if len({word.strip(",:;") for word in column}) > 1:
            break
        shared += 1
    if shared < 3 or len(titles) < 2 or any(len(w) == shared for w in words):
        return list(titles)
    return [" ".join(w[shared:]) for w in words]
