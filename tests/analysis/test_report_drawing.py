"""How spheres and molecules are drawn, and that colours can be told apart."""

from dataclasses import replace

import numpy as np
import pytest
import report_sections as given
from ase.build import molecule as build

from molinv.analysis.report import globe, palette
from molinv.errors import InputError


@pytest.mark.parametrize(("name", "bonds"), [("H2O", 2), ("CH4", 4), ("C6H6", 12), ("CO2", 2)])
def test_bonds(name, bonds):
    atoms = build(name)
    figure = replace(given.globe(), pos=atoms.positions.tolist(), z=atoms.numbers.tolist())
    surface, sticks, balls = globe.traces(figure, (-1.0, 1.0))["data"]
    assert len(balls["x"]) == len(atoms)
    assert len(sticks["x"]) == 3 * bonds, "two ends and a gap each"
    far = np.linalg.norm(atoms.positions, axis=1).max()
    assert np.max(surface["z"]) == pytest.approx(globe.ROOM * far, abs=1e-3)


def test_a_sphere_without_a_molecule_has_no_atoms_and_is_opaque():
    (surface,) = globe.traces(replace(given.globe(), pos=(), z=()), (0.0, 1.0))["data"]
    assert surface["opacity"] == 1.0
    assert np.max(surface["z"]) == pytest.approx(1.0)


def test_points_follow_latitude_and_longitude():
    figure = given.globe()
    surface = globe.traces(replace(figure, pos=(), z=()), (0.0, 1.0))["data"][0]
    x, y, z = (np.array(surface[axis]) for axis in "xyz")
    np.testing.assert_allclose(z[-1], 1.0)  # the north pole
    row, column = figure.latitude.index(0.0), figure.longitude.index(90.0)
    assert (x[row, column], y[row, column]) == pytest.approx((0.0, 1.0))
    assert np.array(surface["surfacecolor"]).shape == x.shape


def test_bad_globes_are_refused():
    with pytest.raises(InputError, match="expected values"):
        globe.traces(replace(given.globe(), latitude=[0.0]), (0.0, 1.0))


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
