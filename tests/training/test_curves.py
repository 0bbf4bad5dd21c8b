"""Figures of a run: the axis of the extents has the units of the run's group."""

import csv
import json

import pytest

from molinv.training import curves


@pytest.mark.parametrize(
    ("units", "label", "lines"),
    [
        ({"wx": "rad"}, "learned extent (rad)", 2),
        ({"tx": "angstrom", "scale": "log-scale"}, "learned extent (angstrom, log-scale)", 2),
    ],
)
def test_extents_are_drawn_in_their_own_units(tmp_path, monkeypatch, units, label, lines):
    with (tmp_path / "metrics.csv").open("w", newline="") as file:
        names = ["epoch", *(f"extent_{name}" for name in units)]
        csv.writer(file).writerows([names, [0, *[0.1] * len(units)], [1, *[0.5] * len(units)]])
    extents = {name: {"value": 0.5, "unit": unit, "cap": 5.0} for name, unit in units.items()}
    (tmp_path / "model.json").write_text(json.dumps({"extents": extents}))
    drawn = []
    monkeypatch.setattr(curves, "_save", lambda figure, path: drawn.append(figure) or path)
    with (tmp_path / "metrics.csv").open(newline="") as file:
        curves._draw_extents(tmp_path, list(csv.DictReader(file)))
    (axes,) = drawn[0].axes
    assert axes.get_ylabel() == label
    assert len(axes.get_lines()) == lines  # with the line at pi only if there are rotations
