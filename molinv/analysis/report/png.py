"""Figures as PNGs by matplotlib; parts of a comparison stand side by side on one scale."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Canvas

from ...atomic import atomic_write
from ..section import Chart, Drawing, Series, Sphere
from . import palette
from .content import Cell, categories, logarithmic, scales
from .png_space import drawing, literal, sphere
from .traces import LEGEND, TICK, places, shorten

C = palette.LIGHT
_DASH = ("-", "--", ":", "-.")
_MARK = ("o", "D", "s", "^")


def draw(parts: Sequence[Cell], path: Path) -> Path:
    """Write one PNG of figures of one name: a single one, or one from every part compared."""
    first = parts[0][1]
    panels = max([len(f.molecules) for _, f in parts if isinstance(f, Drawing)] + [1])
    each = (3.3 * panels, 3.7) if isinstance(first, Drawing) else (7.4, 4.3)
    size = (max(each[0] * len(parts), 4.2), each[1] + 0.3 * (len(parts) > 1))
    canvas = Canvas(figsize=size, layout="constrained", facecolor="white")
    FigureCanvasAgg(canvas)
    limits, half = scales(parts)
    beside: Axes | None = None
    columns = canvas.subfigures(1, len(parts), squeeze=False)[0]
    for column, (name, figure) in zip(columns, parts, strict=True):
        match figure:
            case Chart():
                beside = _chart(column.subplots(), figure, beside)
            case Sphere():
                sphere(column, column.subplots(), figure, limits)
            case Drawing():
                drawing(column.subplots(1, panels, squeeze=False)[0], figure, half)
        if name:
            look: dict[str, Any] = {"color": C["accent"], "weight": "bold", "fontsize": 10}
            column.suptitle(literal(shorten(name, 60)), **look)
    canvas.suptitle(literal(shorten(first.title, 110)), fontsize=11.5, color=C["text"])
    with atomic_write(path) as temporary:
        canvas.savefig(temporary, dpi=140, format="png")
    return path


def _chart(axes: Axes, chart: Chart, beside: Axes | None) -> Axes:
    """Draw on axes, on the scale of those beside them."""
    chart = logarithmic(chart)
    names = categories(chart)
    if beside is not None:
        axes.sharey(beside)
        if not names:
            axes.sharex(beside)
    place = {name: float(i) for i, name in enumerate(names)}
    bars = [s for s in chart.series if s.style == "bar"]
    for i, s in enumerate(chart.series):
        x = np.array([place[v] if isinstance(v, str) else v for v in s.x], float)
        width = 0.8 / max(len(bars), 1) * (_spacing(x) if not names else 1.0)
        shift = (bars.index(s) - (len(bars) - 1) / 2) * width if s in bars else 0.0
        _plot(axes, s, i, x + shift, width)
    if names:
        short = [literal(shorten(name, TICK)) for name in names]
        long = max(len(s) for s in short) * len(short) > 70
        look: dict[str, Any] = {"rotation": 40, "ha": "right"} if long else {}
        axes.set_xticks(range(len(names)), short, fontsize=9, rotation_mode="anchor", **look)
    if whole := places(chart):
        axes.set_xticks(whole["tickvals"], whole["ticktext"])
    positive = [v for s in chart.series for v in s.x if not isinstance(v, str) and v > 0]
    if chart.log_x and positive:
        axes.set_xscale("log")
    if chart.log_y and any(v > 0 for s in chart.series for v in s.y):
        axes.set_yscale("log")
    for k, (x, label) in enumerate(chart.vertical):
        axes.axvline(x, color=C["muted"], lw=1, ls=":")
        low, high = axes.get_xlim()
        right = x > (low + high) / 2
        look = {"ha": "right" if right else "left", "va": "top", "fontsize": 8.5}
        look |= {"xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
        shift, short = (-4 if right else 4, -4 - 12 * k), literal(shorten(label, LEGEND))
        axes.annotate(short, (x, 1), shift, color=C["muted"], **look)
    axes.set_xlabel(literal(chart.x), color=C["text"])
    axes.set_ylabel(literal(chart.y), color=C["text"])
    axes.grid(color=C["grid"], lw=0.8, axis="y" if names else "both")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(C["rule"])
    axes.tick_params(colors=C["muted"], which="both", length=3)
    if len(chart.series) > 1:  # above, where no curve is
        look: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (-0.01, 1.0)}
        axes.legend(frameon=False, fontsize=8.5, ncols=min(len(chart.series), 3), **look)
    return axes


def _plot(axes: Axes, s: Series, i: int, x: np.ndarray, width: float) -> None:
    color, again = C[palette.series(i)], i // palette.SERIES
    y, label = np.array(s.y, float), literal(shorten(s.label, LEGEND)) or " "
    bounds = None if s.low is None or s.high is None else np.array([s.low, s.high], float)
    away = None if bounds is None else np.abs(bounds - y)
    if s.style == "bar":
        axes.bar(x, y, width, label=label, color=color, alpha=0.85, yerr=away, capsize=2)
    elif s.style == "points":
        look: dict[str, Any] = {"ecolor": color, "elinewidth": 1.2, "capsize": 2}
        axes.errorbar(x, y, away, fmt=_MARK[again % 4], ms=5, color=color, label=label, **look)
    else:
        dash = _DASH[(again + (s.style == "dashed")) % 4]
        few = len(x) <= 45 and s.style == "line"
        marker = _MARK[again % 4] if few else None
        axes.plot(x, y, dash, lw=1.9, ms=4, marker=marker, color=color, label=label)
        if bounds is not None:
            axes.fill_between(x, bounds[0], bounds[1], color=color, alpha=0.16, lw=0)


def _spacing(x: np.ndarray) -> float:
    gaps = np.diff(np.unique(x[np.isfinite(x)]))
    return float(gaps.min()) if len(gaps) else 1.0
