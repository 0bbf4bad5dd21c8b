"""A plotly.js sphere of values over directions, with a molecule inside.

Atoms have Jmol's colours; their sizes and bonds follow covalent radii (Cordero et al., Dalton
Trans. 2008, 2832). Both come from ASE.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from ase.data import chemical_symbols, covalent_radii
from ase.data.colors import jmol_colors

from ...errors import InputError
from ..section import Globe, plain
from . import palette
from .traces import text

REACH = 1.2  # atoms are bonded up to this multiple of the sum of their radii
ROOM = 1.3  # the sphere's radius, as a multiple of the farthest atom's distance


def traces(figure: Globe, limits: tuple[float, float]) -> dict[str, Any]:
    """Traces and layout of a Globe; `limits` are the ends of the colour scale."""
    lat, lon = np.deg2rad(np.array(figure.latitude))[:, None], np.deg2rad(figure.longitude)
    values = np.asarray(figure.values, float)
    if values.shape != (lat.size, lon.size):
        raise InputError(
            f"figure {figure.name}: expected values ({lat.size}, {lon.size}), got {values.shape}."
        )
    atoms = _atoms(figure)
    far = np.linalg.norm(np.asarray(figure.pos, float).reshape(-1, 3), axis=1)
    radius = ROOM * float(far.max(initial=0.0)) or 1.0
    name, low, high = palette.scale(*limits)
    unit = text(figure.unit)
    x, y, z = np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat) + 0 * lon
    bar = {"orientation": "h", "y": 0.02, "yanchor": "bottom", "thickness": 11, "len": 0.6}
    bar |= {"outlinewidth": 0, "title": {"text": unit, "side": "top", "font": {"size": 12}}}
    surface = {
        "type": "surface",
        **{axis: (radius * v).round(3) + 0.0 for axis, v in (("x", x), ("y", y), ("z", z))},
        "surfacecolor": [[float(f"{v:.4g}") for v in row] for row in values],
        **{"cmin": low, "cmax": high, "colorscale": name, "colorbar": bar},
        "opacity": 0.55 if atoms else 1.0,
        "lighting": {"ambient": 1.0, "diffuse": 0.0, "specular": 0.0},
        "contours": {a: {"highlight": False} for a in "xyz"},
        "hovertemplate": f"%{{surfacecolor:.4~g}} {unit}<extra></extra>",
    }
    hidden = {"visible": False}
    scene = {"xaxis": hidden, "yaxis": hidden, "zaxis": hidden, "aspectmode": "data"}
    scene["camera"] = {"eye": {"x": 1.1, "y": 1.1, "z": 0.6}}
    layout = {"scene": scene, "showlegend": False}
    return plain({"data": [surface, *atoms], "layout": layout, "globe": True})


def _atoms(figure: Globe) -> list[dict[str, Any]]:
    """Balls and sticks."""
    places, numbers = np.asarray(figure.pos, float), np.asarray(figure.z, int)
    if not len(numbers):
        return []
    if places.shape != (len(numbers), 3) or not np.isfinite(places).all():
        raise InputError(
            f"expected finite coordinates ({len(numbers)}, 3) to draw, got {places.shape}."
        )
    radii = covalent_radii[numbers]
    between = np.linalg.norm(places[:, None] - places[None], axis=-1)
    bonded = between < REACH * (radii[:, None] + radii[None])
    ends = [[*places[i], *places[j]] for i, j in np.argwhere(np.triu(bonded, 1))]
    lines = [[v for e in ends for v in (e[k], e[k + 3], None)] for k in range(3)]
    sticks = dict(zip("xyz", lines, strict=True)) | {"type": "scatter3d", "mode": "lines"}
    sticks |= {"line": {"color": "#8a8f98", "width": 7}, "hoverinfo": "skip"}
    colors = ["#" + "".join(f"{round(255 * c):02x}" for c in jmol_colors[n]) for n in numbers]
    marker = {"color": colors, "size": (6 + 14 * radii).tolist(), "opacity": 1.0}
    marker["line"] = {"color": "#4a4f57", "width": 1}
    names = [text(chemical_symbols[n]) for n in numbers]
    balls = dict(zip("xyz", places.T.tolist(), strict=True)) | {"type": "scatter3d"}
    balls |= {"mode": "markers", "marker": marker, "text": names}
    return [sticks, balls | {"hovertemplate": "%{text}<extra></extra>"}]
