"""Maps of the sphere as traces of plotly.js on plain axes, projected here.

Nothing of plotly.js's own geography is used: that would fetch its coastlines.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..section import Sphere, plain
from . import mollweide, palette
from .content import MINUS
from .traces import LEGEND, shorten, text


def sphere(figure: Sphere, limits: tuple[float, float]) -> dict[str, Any]:
    """Traces and layout of a Sphere; `limits` are the values that the colours run between."""
    x, y, latitude, longitude = mollweide.grid()
    values = mollweide.interpolate(figure, latitude, longitude)
    outside = np.hypot(x[None] / mollweide.X, y[:, None] / mollweide.Y) > 1.05
    name, low, high = palette.scale(*limits)
    unit = text(figure.unit)
    surface = {
        **{"type": "contour", "x": _packed(x), "y": _packed(y)},
        "z": _packed(np.where(outside, np.nan, values)),
        "customdata": "degrees",  # the same for all maps: the page has it once
        **{"zmin": low, "zmax": high, "colorscale": name},
        **{"ncontours": 9, "contours": {"coloring": "heatmap"}},
        "line": {"width": 0.6, "color": "text/0.3"},
        "hovertemplate": f"%{{z:.4~g}} {unit}<br>latitude %{{customdata[0]}}°, "
        "longitude %{customdata[1]}°<extra></extra>",
        "colorbar": {"orientation": "h", "y": -0.04, "yanchor": "top", "thickness": 11, "len": 0.7}
        | {"outlinewidth": 0, "title": {"text": unit, "side": "bottom", "font": {"size": 12}}},
    }
    *lines, edge = mollweide.graticule()
    traces = [surface, _mask(edge), _lines(lines, "text/0.22", 0.7), _lines([edge], "muted", 1.2)]
    traces += _spots(figure)
    wide, tall = mollweide.X * 1.04, mollweide.Y * 1.16
    hidden = {"visible": False, "fixedrange": True}
    layout = {
        "xaxis": hidden | {"range": [-wide, wide], "constrain": "domain"},
        "yaxis": hidden | {"range": [-tall, tall], "scaleanchor": "x", "constrain": "domain"},
        "showlegend": False,
        "annotations": _names(figure),
    }
    return plain({"data": traces, "layout": layout, "map": True})


def coordinates() -> dict[str, str]:
    """Latitude and longitude of every point of a map, (h, w, 2), for its hover label."""
    _, _, latitude, longitude = mollweide.grid()
    return _packed(np.stack([latitude, longitude], -1).round(), "i2")


def _packed(values: np.ndarray, kind: str = "f4") -> dict[str, str]:
    """An array as plotly.js unpacks it: a quarter of its digits' length."""
    data = base64.b64encode(np.ascontiguousarray(values, "<" + kind).tobytes()).decode()
    return {"dtype": kind, "bdata": data, "shape": ", ".join(str(n) for n in values.shape)}


def _lines(lines: Sequence[tuple[Any, Any]], color: str, width: float) -> dict[str, Any]:
    xs = [value for x, _ in lines for value in [*x.round(4).tolist(), None]]
    ys = [value for _, y in lines for value in [*y.round(4).tolist(), None]]
    look = {"mode": "lines", "line": {"color": color, "width": width}, "hoverinfo": "skip"}
    return {"type": "scatter", "x": xs, "y": ys, **look}


def _mask(edge: tuple[Any, Any]) -> dict[str, Any]:
    """The surface's colour around the ellipse: a frame, cut open at the right to be one line."""
    big = 4.0
    x = [*edge[0].round(4).tolist(), big, big, -big, -big, big, big]
    y = [*edge[1].round(4).tolist(), 0, -big, -big, big, big, 0]
    look = {"line": {"width": 0}, "fill": "toself", "fillcolor": "surface", "hoverinfo": "skip"}
    return {"type": "scatter", "x": x, "y": y, "mode": "lines", **look}


def _spots(figure: Sphere) -> list[dict[str, Any]]:
    """A ring at every marked place."""
    rings = {"size": 11, "color": "surface", "line": {"color": "text", "width": 2.2}}
    return [
        {"type": "scatter", "mode": "markers", "x": [m.x], "y": [m.y], "marker": rings}
        | {"cliponaxis": False, "hovertemplate": f"{text(m.name)}<extra></extra>"}
        for m in mollweide.marks(figure)
    ]


def _names(figure: Sphere) -> list[dict[str, Any]]:
    """What is at each marked place, and the parallels' degrees."""
    made = [
        {"x": m.x, "y": m.y, "text": text(shorten(m.name, LEGEND)), "showarrow": False}
        | {"xanchor": "left" if m.right else "right", "xshift": 9 if m.right else -9}
        | {"font": {"size": 12, "color": "text"}, "bgcolor": "surface/0.8", "borderpad": 2}
        for m in mollweide.marks(figure)
    ]
    for parallel in (-60, -30, 0, 30, 60):
        x, y = mollweide.project(np.array(parallel), np.array(-180.0))
        name = f"{parallel}°".replace("-", MINUS)
        made.append(
            {"x": float(x), "y": float(y), "text": name, "showarrow": False, "xanchor": "right"}
            | {"xshift": -2, "font": {"size": 10, "color": "muted"}}
        )
    return made
