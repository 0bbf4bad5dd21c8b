"""The Mollweide projection: the whole sphere in an ellipse, with equal areas.

Angles are degrees; the ellipse has half-axes 2 sqrt 2 and sqrt 2, the area of the unit sphere.
Source: Snyder, "Map Projections - A Working Manual" (USGS 1395, 1987), pp. 249-252.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import pi, sqrt

import numpy as np
from jaxtyping import Float
from scipy.interpolate import RectBivariateSpline

from ...errors import InputError
from ..section import Sphere

X, Y = 2 * sqrt(2), sqrt(2)  # half-axes of the ellipse
_AROUND = 3  # rows and columns repeated beyond the seams, so that a spline runs on over them

Array = Float[np.ndarray, "..."]


def project(latitude: Array, longitude: Array) -> tuple[Array, Array]:
    """x and y of places on the sphere.

    theta of 2 theta + sin 2 theta = pi sin(latitude) comes by bisection: Newton's step is
    singular at the poles.
    """
    lat, lon = np.broadcast_arrays(np.radians(latitude), np.radians(longitude))
    low, high = np.full(lat.shape, -pi / 2), np.full(lat.shape, pi / 2)
    for _ in range(55):
        theta = (low + high) / 2
        above = 2 * theta + np.sin(2 * theta) > pi * np.sin(lat)
        low, high = np.where(above, low, theta), np.where(above, theta, high)
    theta = (low + high) / 2
    return X / pi * lon * np.cos(theta), Y * np.sin(theta)


def unproject(x: Array, y: Array) -> tuple[Array, Array]:
    """Latitude and longitude of points; those outside the ellipse are first moved to its edge."""
    x, y = np.broadcast_arrays(np.asarray(x, float), np.asarray(y, float))
    radius = np.maximum(np.hypot(x / X, y / Y), 1)
    theta = np.arcsin(np.clip(y / radius / Y, -1, 1))
    latitude = np.arcsin(np.clip((2 * theta + np.sin(2 * theta)) / pi, -1, 1))
    width = np.maximum(np.cos(theta), 1e-12)
    longitude = np.clip(pi * (x / radius) / X / width, -pi, pi)
    return np.degrees(latitude), np.degrees(longitude)


def grid(width: int = 161) -> tuple[Array, Array, Array, Array]:
    """Points evenly over the ellipse's rectangle: x (w,), y (h,), latitude and longitude (h, w)."""
    x, y = np.linspace(-X, X, width), np.linspace(-Y, Y, width // 2 + 1)
    return x, y, *unproject(x[None], y[:, None])


def interpolate(sphere: Sphere, latitude: Array, longitude: Array) -> Array:
    """Values between the measured ones, by a cubic spline that continues over poles and seam.

    The result stays within the measured range, and is NaN where the nearest value is NaN. Raises
    InputError where the shape is not that of latitudes and longitudes, or these do not ascend.
    """
    lat, lon = np.asarray(sphere.latitude, float), np.asarray(sphere.longitude, float)
    values = np.asarray(sphere.values, float)
    if values.shape != (len(lat), len(lon)) or min(values.shape) < 2:
        raise InputError(
            f"figure {sphere.name}: expected values ({len(lat)}, {len(lon)}), at least 2 each way, "
            f"got {values.shape}."
        )
    if (np.diff(lat) <= 0).any() or (np.diff(lon) <= 0).any():
        raise InputError(f"figure {sphere.name}: expected ascending latitudes and longitudes.")
    finite = np.isfinite(values)
    filled = np.where(finite, values, values[finite].mean() if finite.any() else 0.0)
    if lon[-1] - lon[0] > 360 - 1e-6:  # the seam is there twice
        lon, filled = lon[:-1], filled[:, :-1]
    opposite = np.stack([np.interp(lon + 180, lon, row, period=360) for row in filled])
    near, far = lat > -90 + 1e-6, lat < 90 - 1e-6  # a pole itself is there once
    below, above = opposite[near][:_AROUND][::-1], opposite[far][-_AROUND:][::-1]
    rows = np.concatenate([below, filled, above])
    places = np.concatenate(
        [-180 - lat[near][:_AROUND][::-1], lat, 180 - lat[far][-_AROUND:][::-1]]
    )
    k = min(_AROUND, len(lon))
    columns = np.concatenate([lon[-k:] - 360, lon, lon[:k] + 360])
    rows = np.concatenate([rows[:, -k:], rows, rows[:, :k]], 1)
    degree = min(3, len(places) - 1, len(columns) - 1)
    spline = RectBivariateSpline(places, columns, rows, kx=degree, ky=degree)
    turned = (longitude - lon[0]) % 360 + lon[0]
    found = np.clip(spline.ev(latitude, turned), filled.min(), filled.max())
    if finite.all():
        return found
    gone = interpolate(replace(sphere, values=(~finite).tolist()), latitude, longitude) > 0.5
    return np.where(gone, np.nan, found)


def graticule(step: int = 30) -> list[tuple[Array, Array]]:
    """Parallels and meridians, and last the ellipse itself, as lines x and y."""
    across, along = np.linspace(-180, 180, 91), np.linspace(-90, 90, 91)
    lines = [project(np.full(91, float(p)), across) for p in range(-90 + step, 90, step)]
    lines += [project(along, np.full(91, float(m))) for m in range(-180 + step, 180, step)]
    turn = np.linspace(0, 2 * pi, 181)
    return [*lines, (X * np.cos(turn), Y * np.sin(turn))]


@dataclass(frozen=True)
class Mark:
    """A named place on the map, with its name to the right or to the left."""

    x: float
    y: float
    name: str
    right: bool


def marks(sphere: Sphere) -> list[Mark]:
    """A map's marked places, several marks at one place joined; names are on the inner side.

    A name that would cover another one is put on the other side of its place.
    """
    names: dict[tuple[float, float], list[str]] = {}
    for latitude, longitude, name in sphere.marks:
        x, y = project(np.array(latitude), np.array(longitude))
        names.setdefault((round(float(x), 3), round(float(y), 3)), []).append(name)
    made: list[Mark] = []
    for (x, y), here in names.items():
        near = [m for m in made if abs(m.x - x) < 1.5 and abs(m.y - y) < 0.25]
        right = not near[0].right if near else x <= 0
        made.append(Mark(x, y, ", ".join(here), right))
    return made
