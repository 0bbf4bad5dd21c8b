"""Laws of the projection, and of how molecules are drawn."""

from math import pi

import numpy as np
import pytest
import report_sections as given
from ase.build import molecule as build

from molinv.analysis.report import molecule, mollweide, palette
from molinv.analysis.section import Sphere
from molinv.errors import InputError


def test_projection_keeps_every_area():
    """dx dy = cos(latitude) d(latitude) d(longitude), by central differences."""
    draw = np.random.default_rng(0)
    latitude, longitude = draw.uniform(-80, 80, 200), draw.uniform(-179, 179, 200)
    h = 1e-3
    step = np.radians(2 * h)
    (xa, ya), (xb, yb) = (mollweide.project(latitude + s, longitude) for s in (h, -h))
    (xc, yc), (xd, yd) = (mollweide.project(latitude, longitude + s) for s in (h, -h))
    area = np.abs((xa - xb) * (yc - yd) - (xc - xd) * (ya - yb)) / step**2
    np.testing.assert_allclose(area, np.cos(np.radians(latitude)), rtol=1e-5)


def test_projection_and_back():
    draw = np.random.default_rng(1)
    latitude, longitude = draw.uniform(-89, 89, 500), draw.uniform(-179, 179, 500)
    back = mollweide.unproject(*mollweide.project(latitude, longitude))
    np.testing.assert_allclose(back[0], latitude, atol=1e-8)
    np.testing.assert_allclose(back[1], longitude, atol=1e-6)


def test_ellipse():
    x, y = mollweide.project(np.array([90.0, -90.0, 0.0]), np.array([33.0, 0.0, 180.0]))
    np.testing.assert_allclose(x, [0, 0, mollweide.X], atol=1e-9)
    np.testing.assert_allclose(y, [mollweide.Y, -mollweide.Y, 0], atol=1e-9)
    assert pi * mollweide.X * mollweide.Y == pytest.approx(4 * pi)


def smooth(latitude, longitude):
    """A function on the sphere with no seam: a polynomial of the unit vector."""
    lat, lon = np.radians(latitude), np.radians(longitude)
    x, y, z = np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)
    return x + 0.5 * y * z - z**2 + 0.3 * x * y


@pytest.mark.parametrize("first", [-90.0, -82.5])
def test_interpolation_runs_on_over_poles_and_seam(first):
    latitude, longitude = np.arange(first, 90.1, 15), np.arange(-180.0, 180, 15)
    values = smooth(latitude[:, None], longitude[None])
    sphere = Sphere("s", "", "", latitude.tolist(), longitude.tolist(), values.tolist())
    draw = np.random.default_rng(2)
    lat = np.degrees(np.arcsin(draw.uniform(-1, 1, 400)))
    lon = draw.uniform(-180, 180, 400)
    lon[:50] = np.where(lon[:50] > 0, 179.9, -179.9)
    found = mollweide.interpolate(sphere, lat, lon)
    # 15 degrees apart a cubic spline is good to about h^4 / 400; without the wrap it is off by 0.1
    np.testing.assert_allclose(found, smooth(lat, lon), atol=0.02)
    assert found.max() <= values.max()


def test_gaps_stay_gaps():
    sphere = given.sphere()
    values = [list(row) for row in sphere.values]
    values[6][12] = float("nan")
    broken = Sphere("s", "", "", sphere.latitude, sphere.longitude, values)
    found = mollweide.interpolate(broken, np.array([0.0, 0.0]), np.array([0.0, 90.0]))
    assert np.isnan(found).tolist() == [True, False]
    with pytest.raises(InputError, match="expected values"):
        mollweide.interpolate(Sphere("s", "", "", [0.0], [0.0, 1.0], [[1.0, 2.0]]), found, found)


def test_names_on_a_map_do_not_lie_on_each_other():
    sphere = Sphere(
        "s", "", "", [], [], [], marks=[(90, 0, "stored"), (90, 40, "worst"), (80, 5, "b")]
    )
    first, second = mollweide.marks(sphere)
    assert first.name == "stored, worst"
    assert first.right != second.right


@pytest.mark.parametrize(("name", "bonds"), [("H2O", 2), ("CH4", 4), ("C6H6", 12), ("CO2", 2)])
def test_bonds(name, bonds):
    atoms = build(name)
    shapes = molecule.shapes(atoms.positions.tolist(), atoms.numbers.tolist())
    balls = [s for s in shapes if isinstance(s, molecule.Ball)]
    assert len(balls) == len(atoms)
    assert len(shapes) - len(balls) == 2 * bonds, "two halves a bond"


def test_the_nearest_is_drawn_last():
    atoms = build("CH3OH")
    depths = [s.depth for s in molecule.shapes(atoms.positions.tolist(), atoms.numbers.tolist())]
    assert depths == sorted(depths)
    behind = [s.depth for s in molecule.shapes((-atoms.positions).tolist(), atoms.numbers.tolist())]
    np.testing.assert_allclose(behind, -np.array(depths)[::-1], atol=1e-12)


def test_svg_is_to_scale_and_escaped():
    pos, z = given.WATER
    drawn = molecule.svg(pos, z, 2.0, given.EVIL)
    assert "<script" not in drawn
    assert drawn.count("<title>") == 3
    # x to the right, y up: SVG's y runs down
    up = molecule.svg([[0.0, 1.0, 0.0], [0.0, -1.0, 0.0]], [6, 9], 2.0, "")
    assert up.index('cy="-1.000"') < up.index('cy="1.000"')


def luminance(color):
    c = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) @ [
        0.2126,
        0.7152,
        0.0722,
    ]


def contrast(a, b):
    low, high = sorted([luminance(a), luminance(b)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [palette.LIGHT, palette.DARK], ids=["light", "dark"])
def test_contrast(theme):
    """WCAG 2.2: 4.5 for text (1.4.3), 3 for what a figure is read by (1.4.11)."""
    for name in ("text", "muted", "accent", "warn"):
        for under in ("surface", "page", "raised"):
            assert contrast(theme[name], theme[under]) >= 4.5, (name, under)
    for i in range(palette.SERIES):
        assert contrast(theme[palette.series(i)], theme["surface"]) >= 3
    assert set(palette.LIGHT) == set(palette.DARK)
