"""Maps of the sphere and molecules by matplotlib, as the page draws them."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import FigureBase
from matplotlib.patches import Circle, PathPatch
from matplotlib.path import Path as Outline

from ..section import Drawing, Sphere
from . import molecule, mollweide, palette
from .traces import LEGEND, shorten

C = palette.LIGHT
EDGE = "#4a4f57"  # outlines of atoms and bonds; page.css has the same


def literal(text: str) -> str:
    """A text that matplotlib does not read as mathematics."""
    return text.replace("$", r"\$")


def sphere(canvas: FigureBase, axes: Axes, figure: Sphere, limits: tuple[float, float]) -> None:
    """A Mollweide map; `limits` are the values that the colours run between."""
    x, y, latitude, longitude = mollweide.grid(481)
    values = mollweide.interpolate(figure, latitude, longitude)
    name, low, high = palette.scale(*limits)
    colors = LinearSegmentedColormap.from_list(name, C[name].split(), N=128)
    norm = Normalize(low, high)
    *lines, edge = mollweide.graticule()
    cut = PathPatch(Outline(np.stack(edge, -1)), transform=axes.transData)
    made = axes.pcolormesh(x, y, values, cmap=colors, norm=norm, shading="nearest", rasterized=True)
    made.set_clip_path(cut)
    if np.isfinite(values).all() and np.ptp(values) > 0:
        levels = axes.contour(x, y, values, 9, colors=C["text"], linewidths=0.5, alpha=0.3)
        levels.set_clip_path(cut)
    for line in lines:
        axes.plot(*line, color=C["text"], lw=0.6, alpha=0.25)
    axes.plot(*edge, color=C["muted"], lw=1.1, clip_on=False)
    for m in mollweide.marks(figure):
        axes.plot(m.x, m.y, "o", ms=7, mfc="white", mec=C["text"], mew=1.7, clip_on=False)
        box = {"boxstyle": "round,pad=0.2", "fc": "white", "ec": "none", "alpha": 0.8}
        look: dict[str, Any] = {"ha": "left" if m.right else "right", "va": "center", "bbox": box}
        look |= {"textcoords": "offset points", "fontsize": 8.5, "color": C["text"]}
        shift = (8 if m.right else -8, 0)
        axes.annotate(literal(shorten(m.name, LEGEND)), (m.x, m.y), shift, **look)
    axes.set(xlim=(-2.95, 2.95), ylim=(-1.5, 1.5), aspect="equal")
    axes.set_axis_off()
    bar = canvas.colorbar(made, ax=axes, orientation="horizontal", shrink=0.6, aspect=38, pad=0.03)
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    bar.set_label(literal(figure.unit), color=C["text"])
    bar.ax.tick_params(colors=C["muted"], length=3)


def drawing(grid: Sequence[Axes], figure: Drawing, half: float) -> None:
    """A molecule in each of the axes, in a square of side 2 `half` angstrom."""
    for axes in grid:
        axes.set_axis_off()
    for axes, (title, pos, z) in zip(grid, figure.molecules, strict=False):
        scale = 3.1 * 72 / (2 * half)  # points an angstrom
        for order, s in enumerate(molecule.shapes(pos, z)):
            if isinstance(s, molecule.Stick):
                width, edge = molecule.STICK * scale, molecule.EDGE * scale
                look: dict[str, Any] = {"solid_capstyle": "round", "zorder": order}
                axes.plot(s.x, s.y, color=EDGE, lw=2 * width + edge, **look)
                axes.plot(s.x, s.y, color=s.color, lw=2 * width - edge, **look)
                continue
            r, line = s.radius, molecule.EDGE * scale
            axes.add_patch(Circle((s.x, s.y), r, fc=s.color, ec=EDGE, lw=line, zorder=order))
            shine = (s.x - 0.3 * r, s.y + 0.35 * r)
            axes.add_patch(Circle(shine, 0.3 * r, fc="white", alpha=0.4, lw=0, zorder=order))
            look = {"ha": "center", "va": "center_baseline", "zorder": order, "weight": "bold"}
            axes.text(s.x, s.y, s.label, color=s.ink, fontsize=scale * r * 0.9, **look)
        x, y = molecule.middle(pos)
        axes.set(xlim=(x - half, x + half), ylim=(y - half, y + half), aspect="equal")
        axes.set_title(literal(_wrapped(title)), fontsize=9, color=C["text"])


def _wrapped(title: str) -> str:
    return "\n".join(wrap(shorten(title, 120), 40)) or " "
