"""The symmetry benchmark finds the broken symmetry of each broken potential."""

import json
import sys

import ase.io
import pytest
import yaml

from molinv.bench import symmetry
from molinv.bench.symmetry import pet, structures
from molinv.cli import main

FAULTS = ("rotation", "reflection", "translation", "permutation", "gradient")


def test_each_broken_symmetry_is_found_and_no_other(tmp_path, monkeypatch):
    monkeypatch.setitem(symmetry.SETS, "crystals", elements)
    names = ["EMT", *(f"EMT, {what} broken" for what in FAULTS)]
    arguments = ["bench", "symmetry", "--out", str(tmp_path), "--structures", "crystals"]
    arguments += ["--models", ";".join(names), "--count", "3"]
    assert main(arguments) == 0
    rows = json.loads((tmp_path / "symmetry.json").read_text())["rows"]
    for what, row in zip((None, *FAULTS), rows, strict=True):
        found = row["operations"] | {"rotation": row["energy"]["answer"]}
        kept = {found.pop(name) for name in [*found] if not what or what not in name}
        assert kept == {"yes"}
        assert set(found.values()) <= {"no"}
        assert row["gradient"]["asymmetry"]["value"] < 1e-3 or what == "gradient"
        assert row["gradient"]["from_energy"]["value"] < 1e-4 or what == "gradient"
        assert row["calls"] < 700
    assert rows[0]["forces"]["answer"] == "yes"
    assert rows[-1]["gradient"]["from_energy"]["value"] > 1e-3
    assert (tmp_path / "EMT-crystals" / "energy" / "report.html").is_file()
    monkeypatch.setattr(symmetry, "_row", None)  # finished rows must not be measured again
    assert main(arguments) == 0


def elements(count):
    return structures.crystals(6)[:count]  # EMT's own


def test_a_factor_that_float32_rounds_is_found(tmp_path):
    names = "pairs; pairs, float32 broken; equivariant, untrained"
    symmetry.main(str(tmp_path), models=names, count=3)
    rows = json.loads((tmp_path / "symmetry.json").read_text())["rows"]
    answers = [row["operations"]["float32 in place of float64"] for row in rows]
    assert (answers[1], {answers[0], answers[2]} <= {"yes", "almost"}) == ("no", True)
    assert [row["energy"]["answer"] for row in rows] == ["yes"] * 3


def test_the_shipped_model_is_judged_by_its_error(tmp_path):
    symmetry.main(str(tmp_path), models="qm9 (molinv)", count=4)
    (row,) = json.loads((tmp_path / "symmetry.json").read_text())["rows"]
    assert row["energy"]["answer"] == "almost"
    assert row["energy"]["unit"] == "meV"


def test_what_pet_is_trained_on(tmp_path, monkeypatch):
    pytest.importorskip("tblite")
    monkeypatch.setattr(pet, "FRAMES", 6)

    class Stub:
        def path(self, kind):
            return tmp_path

        def see(self, path):
            script = "import sys, pathlib; pathlib.Path(sys.argv[4]).touch()"
            path.write_text(f"#!{sys.executable}\n{script}\n")
            path.chmod(0o755)
            return path

    path = pet.trained(Stub(), tmp_path / "pet", 2)
    assert path.endswith("pet-2.pt")
    frames = ase.io.read(tmp_path / "pet" / "train.xyz", ":")
    assert len(frames) == 5
    assert {"energy", "forces"} <= set(frames[0].calc.results)
    options = yaml.safe_load((tmp_path / "pet" / "options.yaml").read_text())
    assert options["architecture"]["training"]["num_epochs"] == 2
    monkeypatch.setattr(Stub, "see", None)
    assert pet.trained(Stub(), tmp_path / "pet", 2) == path  # not trained again


def test_a_model_that_cannot_be_loaded_has_a_row_with_the_reason(tmp_path, monkeypatch):
    broken = symmetry.Potential("none", "nowhere:Nothing")
    monkeypatch.setitem(symmetry.POTENTIALS, "none", broken)
    symmetry.main(str(tmp_path), models="none", structures="crystals", count=2)
    (row,) = json.loads((tmp_path / "symmetry.json").read_text())["rows"]
    assert "nowhere" in row["failed"]


@pytest.mark.parametrize("name", symmetry.POTENTIALS)
def test_names_are_valid_as_folders(name):
    assert "/" not in name
