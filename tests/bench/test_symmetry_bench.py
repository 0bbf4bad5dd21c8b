"""Potentials that are broken on purpose are found out, each in its own way."""

import json

import pytest

from molinv.bench import symmetry
from molinv.bench.symmetry.structures import crystals
from molinv.cli import main


def test_every_fault_is_found_and_no_other(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(symmetry.SETS, "crystals", lambda count: crystals(6)[:count])
    names = ["EMT", *(f"EMT, {w} broken" for w in ("rotation", "reflection", "permutation"))]
    arguments = ["bench", "symmetry", "--out", str(tmp_path), "--structures", "crystals"]
    arguments += ["--models", ";".join([*names, "EMT, gradient broken"]), "--count", "6"]
    assert main(arguments) == 0
    rows = json.loads((tmp_path / "symmetry.json").read_text())["rows"]
    found = {row["model"]: row for row in rows}
    sound = found["EMT"]
    assert sound["energy_per_atom"]["answer"] == sound["forces"]["answer"] == "yes"
    assert set(sound["operations"].values()) == {"yes"}
    assert sound["gradient"]["asymmetry"]["value"] < 1e-3
    assert found["EMT, rotation broken"]["energy_per_atom"]["answer"] == "no"
    for what in ("reflection", "permutation"):
        row = found[f"EMT, {what} broken"]
        assert row["operations"][what] == "no"
        assert row["operations"]["translation by 40 angstrom"] in ("yes", "almost")
    assert found["EMT, gradient broken"]["gradient"]["from_energy"]["value"] > 1e-3
    assert (tmp_path / "EMT-crystals" / "energy" / "report.html").is_file()
    monkeypatch.setattr(symmetry, "_row", None)  # finished rows are not made again
    assert main(arguments) == 0


def test_a_model_that_cannot_be_made_says_why(tmp_path, monkeypatch):
    broken = symmetry.Potential("none", "nowhere:Nothing")
    monkeypatch.setitem(symmetry.POTENTIALS, "none", broken)
    symmetry.main(str(tmp_path), models="none", structures="crystals", count=2)
    (row,) = json.loads((tmp_path / "symmetry.json").read_text())["rows"]
    assert "nowhere" in row["failed"]


@pytest.mark.parametrize("name", symmetry.POTENTIALS)
def test_names_are_folders(name):
    assert "/" not in name
