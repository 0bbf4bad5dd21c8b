"""Molecules as balls and sticks, seen along the negative z axis: x right, y up, z to the eye.

Colours are Jmol's, sizes and bonds by covalent radii (Cordero et al., Dalton Trans. 2008, 2832),
both as ASE has them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from ase.data import chemical_symbols, covalent_radii
from ase.data.colors import jmol_colors

from ...errors import InputError

REACH = 1.2  # atoms are bonded up to this multiple of the sum of their radii
STICK = 0.085  # half a stick's width, angstrom
EDGE = 0.03  # the width of outlines, angstrom


@dataclass(frozen=True)
class Ball:
    """An atom; lengths in angstrom. `symbol` is written on it unless it is C or H."""

    x: float
    y: float
    radius: float
    color: str
    symbol: str
    depth: float

    @property
    def label(self) -> str:
        return "" if self.symbol in ("C", "H") else self.symbol

    @property
    def ink(self) -> str:
        """Black or white, whichever is read more easily on the ball."""
        r, g, b = (int(self.color[i : i + 2], 16) for i in (1, 3, 5))
        return "#000000" if 0.299 * r + 0.587 * g + 0.114 * b > 130 else "#ffffff"


@dataclass(frozen=True)
class Stick:
    """Half a bond, from its atom's surface to the middle, in the atom's colour."""

    x: tuple[float, float]
    y: tuple[float, float]
    color: str
    depth: float


def shapes(pos: Sequence[Sequence[float]], z: Sequence[int]) -> list[Ball | Stick]:
    """The balls and sticks of a molecule, farthest first.

    Raises InputError where coordinates (n, 3) and atomic numbers (n,) do not fit.
    """
    places, numbers = np.asarray(pos, float), np.asarray(z, int)
    if places.shape != (len(numbers), 3) or not np.isfinite(places).all():
        raise InputError(
            f"expected finite coordinates ({len(numbers)}, 3) to draw, got {places.shape}."
        )
    radii = covalent_radii[numbers]
    sizes = 0.1 + 0.4 * radii
    colors = ["#" + "".join(f"{round(255 * c):02x}" for c in jmol_colors[n]) for n in numbers]
    made: list[Ball | Stick] = [
        Ball(p[0], p[1], r, c, chemical_symbols[n], p[2])
        for p, r, c, n in zip(places.tolist(), sizes.tolist(), colors, numbers, strict=True)
    ]
    between = np.linalg.norm(places[:, None] - places[None], axis=-1)
    bonded = (between < REACH * (radii[:, None] + radii[None])) & (between > 1e-6)
    for i, j in np.argwhere(bonded):
        start = places[i] + (places[j] - places[i]) * (0.9 * sizes[i] / between[i, j])
        middle = (places[i] + places[j]) / 2
        ends = np.stack([start, middle])
        (xs, ys, zs) = ends.T.tolist()
        made.append(Stick((xs[0], xs[1]), (ys[0], ys[1]), colors[i], sum(zs) / 2))
    return sorted(made, key=lambda shape: shape.depth)


def middle(pos: Sequence[Sequence[float]]) -> tuple[float, float]:
    """The middle of a molecule's bounding box, x and y."""
    places = np.asarray(pos, float)[:, :2]
    x, y = (places.max(0) + places.min(0)) / 2
    return float(x), float(y)


def svg(pos: Sequence[Sequence[float]], z: Sequence[int], half: float, title: str) -> str:
    """A molecule in a square of side 2 `half` angstrom; `title` is for screen readers."""
    x0, y0 = middle(pos)
    made = [
        f'<svg class="molecule" viewBox="{x0 - half:.3f} {-y0 - half:.3f} {2 * half:.3f} '
        f'{2 * half:.3f}" role="img" aria-label="{escape(title)}">'
    ]
    for shape in shapes(pos, z):
        made.append(_stick(shape) if isinstance(shape, Stick) else _ball(shape))
    return "".join([*made, "</svg>"])


def _stick(s: Stick) -> str:
    line = (
        f'x1="{s.x[0]:.3f}" y1="{-s.y[0]:.3f}" x2="{s.x[1]:.3f}" y2="{-s.y[1]:.3f}"'
        ' stroke-linecap="round"'
    )
    outer = f'<line {line} class="edge" stroke-width="{2 * STICK + EDGE:.3f}"/>'
    return f'{outer}<line {line} stroke="{s.color}" stroke-width="{2 * STICK - EDGE:.3f}"/>'


def _ball(b: Ball) -> str:
    x, y, r = b.x, -b.y, b.radius
    made = (
        f'<g><title>{b.symbol}</title><circle cx="{x:.3f}" cy="{y:.3f}" r="{r:.3f}"'
        f' fill="{b.color}" class="edge" stroke-width="{EDGE}"/>'
        f'<circle cx="{x - 0.3 * r:.3f}" cy="{y - 0.35 * r:.3f}" r="{0.3 * r:.3f}"'
        ' fill="#fff" fill-opacity="0.4"/>'
    )
    if b.label:
        made += (
            f'<text x="{x:.3f}" y="{y + 0.36 * r:.3f}" font-size="{r:.3f}" fill="{b.ink}"'
            f' text-anchor="middle" font-weight="600">{b.label}</text>'
        )
    return made + "</g>"
