"""The lines that a run prints: at most 80 columns for each epoch."""

from math import nan

import pytest

from molinv.training.epoch_lines import WIDTH, EpochLines

ROW = {"epoch": 12, "train_loss": 0.9674, "seconds": 4321.9}
ROW |= {f"{name}_{view}": 1030.4 for name in ("homo", "lumo", "gap") for view in ("stored",)}
ROW |= {f"{name}_rotated": 81.46 for name in ("homo", "lumo", "gap")}
TURNS = {f"w{a}": "rad" for a in "xyz"}
ROW |= {f"extent_{name}": 3.1415 for name in TURNS}


def test_a_line_and_its_heading_fit_80_columns_and_stand_below_one_another():
    lines = EpochLines(["homo", "lumo", "gap"], ["meV"] * 3, TURNS)
    legend, heading = lines.heading().splitlines()
    assert legend.startswith("Validation errors are stored / rotated; wx, wy, wz: learned half-")
    assert legend.endswith("(rad).")
    assert len(legend) <= WIDTH
    line = lines.line(ROW)
    assert len(heading) == len(line) <= WIDTH
    assert line.split() == ["12", "0.967", *["1030/81.5"] * 3, *["3.14"] * 3, "4322"]


@pytest.mark.parametrize("many", [0, 1, 6])
@pytest.mark.parametrize("long", ["", "a measured solubility in water, "])
def test_many_or_long_names_are_left_out_or_shortened(many, long):
    names = [f"{long}t{i}" for i in range(many)]
    extents = {f"{long}x{i}": "angstrom" for i in range(many)}
    lines = EpochLines(names, ["log mol/L"] * many, extents)
    row = ROW | {f"{n}_{v}": 1234.5 for n in names for v in ("stored", "rotated")}
    row |= {f"extent_{name}": 0.1 for name in extents}
    assert len(lines.heading().splitlines()[-1]) == len(lines.line(row)) <= WIDTH


def test_an_unknown_error_is_a_dash():
    row = ROW | {"homo_stored": nan, "homo_rotated": nan}
    assert "-/-" in EpochLines(["homo"], ["meV"], {}).line(row)
