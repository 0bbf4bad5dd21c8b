"""Charts as traces of plotly.js.

A colour is "name" or "name/opacity" from the palette; the page fills it in. Text is escaped,
because plotly.js interprets markup, including links, in molecules' names.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import isfinite, log10
from textwrap import wrap
from typing import Any

from ..section import Chart, Series, plain
from . import palette
from .content import categories, logarithmic

LEGEND, TICK, WRAP = 34, 40, 12  # characters of a label and of its lines; hover labels have all
WHOLE = 14  # an axis names up to this many whole numbers
_MARKED = 45  # lines with more points have no markers


def shorten(text: str, length: int) -> str:
    """A text, cut to this length with an ellipsis."""
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def text(value: str) -> str:
    """A text escaped so that plotly.js shows it unchanged; a brace would begin a template."""
    return escape(value, quote=False).replace("{", "&#123;")


def chart(figure: Chart) -> dict[str, Any]:
    """Traces and layout of a Chart."""
    figure = logarithmic(figure)
    traces = [t for i, s in enumerate(figure.series) for t in _series(s, i)]
    numbers = [v for s in figure.series for v in s.x if not isinstance(v, str)]
    heights = [v for s in figure.series for v in s.y]
    layout: dict[str, Any] = {
        "xaxis": _axis(figure.x, figure.log_x, numbers) | places(figure),
        "yaxis": _axis(figure.y, figure.log_y, heights),
        "showlegend": len(figure.series) > 1,
        "barmode": "group",
    }
    if figure.log_y and any(s.style == "bar" for s in figure.series):
        low = min((v for s in figure.series for v in (*s.y, *(s.low or ())) if v > 0), default=1.0)
        high = max(
            (v for s in figure.series for v in (*s.y, *(s.high or ())) if v > 0), default=1.0
        )
        layout["yaxis"]["range"] = [log10(low) - 1, log10(high) + 0.2]  # a bar of any length
    if names := categories(figure):
        ticks = {"tickvals": [text(n) for n in names], "tickmode": "array"}
        lines = [wrap(shorten(n, TICK), WRAP, break_on_hyphens=False) for n in names]
        ticks["ticktext"] = ["<br>".join(map(text, each)) for each in lines]  # else they slope
        layout["xaxis"] |= {"type": "category", "showgrid": False, **ticks}
    layout["shapes"] = [
        {"type": "line", "x0": x, "x1": x, "yref": "paper", "y0": 0, "y1": 1}
        | {"line": {"color": "muted/0.8", "width": 1, "dash": "dot"}}
        for x, _ in figure.vertical
    ]
    layout["annotations"] = _labels(figure)
    return plain({"data": traces, "layout": layout, "rows": len(figure.series)})


def _series(s: Series, i: int) -> list[dict[str, Any]]:
    """The traces of a series: its band, then its line, points or bars."""
    color, x = palette.series(i), [text(v) if isinstance(v, str) else v for v in s.x]
    name, again = text(shorten(s.label, LEGEND)), i // palette.SERIES
    trace: dict[str, Any] = {"x": x, "y": s.y, "name": name, "legendgroup": str(i)}
    interval = ""
    if s.low is not None and s.high is not None:
        trace["customdata"] = list(zip(s.low, s.high, strict=True))
        interval = "<br>%{customdata[0]:.4~g} to %{customdata[1]:.4~g}"
    horizontal = "%{x}" if x and isinstance(x[0], str) else "%{x:.4~g}"
    trace["hovertemplate"] = f"{horizontal}: <b>%{{y:.4~g}}</b>{interval}"
    trace["hovertemplate"] += f"<extra>{text(s.label)}</extra>"
    if s.style == "bar":
        bar = {"type": "bar", "marker": {"color": f"{color}/0.85"}, "error_y": _bars(s, "muted")}
        return [trace | bar]
    marker = {"color": color, "size": 7, "symbol": palette.MARKERS[again % 4]}
    trace |= {"type": "scatter", "marker": marker}
    if s.style == "points":
        return [trace | {"mode": "markers", "error_y": _bars(s, f"{color}/0.6")}]
    dash = palette.DASHES[(again + (s.style == "dashed")) % 4]
    few = len(x) <= _MARKED and s.style == "line"
    trace |= {"mode": "lines+markers" if few else "lines"}
    trace |= {"line": {"color": color, "width": 2.2, "dash": dash}}
    return [*_band(s, x, color, str(i)), trace]


def _band(s: Series, x: Sequence[Any], color: str, group: str) -> list[dict[str, Any]]:
    if s.low is None or s.high is None:
        return []
    rows = zip(x, s.low, s.high, strict=True)
    there = [(a, low, high) for a, low, high in rows if isfinite(low) and isfinite(high)]
    around = [(a, high) for a, _, high in there] + [(a, low) for a, low, _ in reversed(there)]
    xs, ys = [a for a, _ in around], [b for _, b in around]
    return [
        {"type": "scatter", "mode": "lines", "x": xs, "y": ys, "line": {"width": 0}}
        | {"fill": "toself", "fillcolor": f"{color}/0.16"}
        | {"legendgroup": group, "showlegend": False, "hoverinfo": "skip"}
    ]


def _bars(s: Series, color: str) -> dict[str, Any]:
    if s.low is None or s.high is None:
        return {"visible": False}
    up = [high - y for high, y in zip(s.high, s.y, strict=True)]
    down = [y - low for low, y in zip(s.low, s.y, strict=True)]
    look = {"type": "data", "symmetric": False, "color": color, "thickness": 1.3, "width": 3}
    return look | {"array": up, "arrayminus": down}


def places(figure: Chart) -> dict[str, Any]:
    """Ticks for an x axis of few whole numbers, at these numbers only."""
    found = sorted({float(v) for s in figure.series for v in s.x if not isinstance(v, str)})
    few = 0 < len(found) <= WHOLE and all(v.is_integer() for v in found)
    if not few or found[-1] - found[0] > WHOLE or figure.log_x:
        return {}
    return {"tickmode": "array", "tickvals": found, "ticktext": [f"{v:g}" for v in found]}


def _axis(title: str, log: bool, values: Sequence[float]) -> dict[str, Any]:
    axis = {"title": {"text": text(title), "standoff": 12}, "automargin": True}
    if not log:
        return axis
    positive = [v for v in values if isfinite(v) and v > 0]
    # each decade is named; 2 and 5 too if there are few, fewer if there are many
    decades = bool(positive) and 30 < max(positive) / min(positive) < 1e9
    return axis | {"type": "log", "exponentformat": "power"} | ({"dtick": 1} if decades else {})


def _labels(figure: Chart) -> list[dict[str, Any]]:
    """Labels of the vertical lines, each a line lower than the one before, on the inner side."""
    reach = [v for s in figure.series for v in s.x if not isinstance(v, str) and isfinite(v)]
    reach += [x for x, _ in figure.vertical]
    middle = (min(reach) + max(reach)) / 2 if reach else 0.0
    return [
        {"x": log10(x) if figure.log_x else x, "yref": "paper", "y": 1, "yanchor": "top"}
        | {"text": text(shorten(label, LEGEND)), "showarrow": False, "yshift": -17 * i}
        | {"xanchor": "right" if x > middle else "left", "bgcolor": "surface/0.75"}
        | {"font": {"size": 12, "color": "muted"}}
        for i, (x, label) in enumerate(figure.vertical)
        if not figure.log_x or x > 0
    ]
