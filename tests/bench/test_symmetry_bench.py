"""The symmetry benchmark finds the broken symmetry of each broken potential."""

import json

import pytest

from molinv.analysis import walk
from molinv.bench import symmetry
from molinv.cli import main


def test_each_broken_symmetry_is_found_and_no_other(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(walk, "RANDOM", 4)
    names = ["EMT", *(f"EMT, {w} broken" for w in ("rotation", "reflection"))]
    arguments = ["bench", "symmetry", "--out", str(tmp_path), "--structures", "crystals"]
    arguments += ["--models", ";".join([*names, "EMT, gradient broken"]), "--count", "2"]
    assert main(arguments) == 0
    rows = json.loads((tmp_path / "symmetry.json").read_text())["rows"]
    found = {row["model"]: row for row in rows}
    sound = found["EMT"]
    assert sound["energy_per_atom"]["answer"] == sound["forces"]["answer"] == "yes"
    assert set(sound["operations"].values()) == {"yes"}
    assert sound["gradient"]["asymmetry"]["value"] < 1e-3
    assert found["EMT, rotation broken"]["energy_per_atom"]["answer"] == "no"
    operations = found["EMT, reflection broken"]["operations"]
    assert operations["reflection"] == "no"
    assert operations["translation by 40 angstrom"] == "yes"
    assert found["EMT, gradient broken"]["gradient"]["from_energy"]["value"] > 1e-3
    assert (tmp_path / "EMT-crystals" / "energy" / "report.html").is_file()
    monkeypatch.setattr(symmetry, "_row", None)  # finished rows must not be measured again
    assert main(arguments) == 0


def test_a_model_that_cannot_be_loaded_has_a_row_with_the_reason(tmp_path, monkeypatch):
    broken = symmetry.Potential("none", "nowhere:Nothing")
    monkeypatch.setitem(symmetry.POTENTIALS, "none", broken)
    symmetry.main(str(tmp_path), models="none", structures="crystals", count=2)
    (row,) = json.loads((tmp_path / "symmetry.json").read_text())["rows"]
    assert "nowhere" in row["failed"]


@pytest.mark.parametrize("name", symmetry.POTENTIALS)
def test_names_are_valid_as_folders(name):
    assert "/" not in name
