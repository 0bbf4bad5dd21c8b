"""Charges, spins and kinds of geometry of a user's molecules: recorded, noted or refused."""

import csv
import json

import pytest
from rich.table import Table
from small_run import SAMPLE

from molinv import InputError
from molinv.chem import Rejected, read
from molinv.chem.structure import EMBEDDED, GIVEN, HYDROGENS
from molinv.cli import main
from molinv.predict import Predictor
from molinv.prediction.notes import short_notes
from molinv.prediction.screen_table import table
from molinv.training.config import TrainConfig
from molinv.training.molecule_data import MoleculeData
from molinv.training.source import prepare, states

NEUTRAL = ["C" * n + end for n in range(1, 8) for end in ("O", "N", "F")]
CATIONS = ["C" * n + "[NH3+]" for n in range(1, 8)]
RADICALS = ["C" * n + "[CH2]" for n in range(1, 4)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run on neutral molecules, cations and one row that cannot be used."""
    made = tmp_path_factory.mktemp("states")
    with (made / "mine.csv").open("w", newline="") as file:
        rows = [[s, len(s) / 2] for s in (*NEUTRAL, *CATIONS)]
        csv.writer(file).writerows([["smiles", "y"], *rows, ["C(", 1.0]])
    args = ["--data", str(made / "mine.csv"), "--targets", "y", "--model_args", '{"width": 16}']
    args += ["--epochs", "1", "--accelerator", "cpu", "--out", str(made / "run")]
    assert main(["train", *args]) == 0
    return made / "run"


def test_the_card_has_the_states_of_training_and_a_note_says_that_they_are_mixed(folder):
    card = json.loads((folder / "model.json").read_text())
    assert card["states"] == [[0, 0], [1, 0]]
    (note,) = [n for n in card["notes"] if "charge or spin" in n]
    assert note.startswith("The training molecules differ in charge or spin (")
    assert "with charge +1 and no unpaired electron" in note
    given = read(["CCCO", "CC[NH3+]", "CC[O-]", "CC[CH2]"])
    found = [isinstance(row, Rejected) for row in Predictor(folder, copies=1).predict(given)]
    assert found == [False, False, True, True]
    with (folder / "rejected.csv").open() as file:
        assert [row["name"] for row in csv.DictReader(file)] == ["C("]


def test_a_data_set_is_neutral_with_its_odd_electrons_unpaired(tmp_path):
    source = prepare(TrainConfig(data=str(SAMPLE), targets="homo", train_size=100, valid_size=20))
    assert states(source.molecules).tolist() == [[0, 0]] * len(source.molecules)
    path = tmp_path / "radicals.csv"
    path.write_text("smiles,y\n" + "".join(f"{s},{i}\n" for i, s in enumerate(RADICALS * 5)))
    config = TrainConfig(data=str(path), targets="y", train_size=None, valid_size=None)
    source = prepare(config)
    assert states(source.molecules).tolist() == [[0, 1]] * 15
    data = MoleculeData(source, config)
    assert data.facts["states"] == [[0, 1]]
    assert not any("charge or spin" in note for note in data.notes)


def test_errors_are_shown_only_for_the_measured_kinds_of_geometry(folder, capsys):
    assert main(["evaluate", str(folder), "--copies", "1"]) == 0
    result = json.loads((folder / "evaluation.json").read_text())
    assert result["kinds"] == [EMBEDDED]
    predictor = Predictor(folder, copies=1)
    known = predictor.errors_of(EMBEDDED)
    assert known["y"] > 0
    assert predictor.errors_of(GIVEN) == predictor.errors_of(HYDROGENS) == {}
    water = folder.parent / "w.xyz"
    water.write_text("3\n\nO 0 0 0.119\nH 0 0.763 -0.477\nH 0 -0.763 -0.477\n")
    rows = [r for r in predictor.predict(read([water, "CO"])) if isinstance(r, dict)]
    assert [(r["geometry"], r["embedded"]) for r in rows] == [("given", False), ("embedded", True)]
    assert ["y_mae" in row for row in rows] == [False, True]
    said = list(short_notes(rows, predictor))
    assert any(
        note.startswith("Test MAE: not measured for given geometries, where") for note in said
    )
    made = table(rows, predictor)
    assert isinstance(made, Table)
    assert made.row_count == 2
    old = {k: v for k, v in result.items() if k != "kinds"}
    predictor.evaluation = old | {"intervals": {}}  # molinv 0.1.0's
    assert predictor.errors_of(GIVEN) == predictor.errors


def test_heavy_atoms_with_hydrogens_added_have_errors_and_intervals_of_their_own(tmp_path):
    path = tmp_path / "ethane.sdf"
    lines = ["ethane", "", "", "  2  1  0  0  0  0  0  0  0  0999 V2000"]
    lines += [f"{x:10.4f}    0.0000    0.1000 C   0  0" for x in (0.0, 1.53)]
    path.write_text("\n".join([*lines, "  1  2  1  0", "M  END", "$$$$"]) + "\n")
    out = tmp_path / "out.csv"
    assert main(["predict", str(path), "CC", "--targets", "homo", "-o", str(out)]) == 0
    with out.open() as file:
        added, embedded = csv.DictReader(file)
    assert (added["geometry"], added["embedded"]) == ("hydrogens added", "False")
    assert added["model"] == embedded["model"] == "qm9-smiles"
    predictor = Predictor("qm9-smiles")
    measured = [predictor.errors_of(kind)["homo"] for kind in (HYDROGENS, EMBEDDED)]
    assert [float(row["homo_mae"]) for row in (added, embedded)] == pytest.approx(measured)
    assert measured[0] != measured[1]
    assert predictor.errors_of(GIVEN) == {}  # the model was not trained on given geometries
    for row in (added, embedded):
        assert float(row["homo_low"]) < float(row["homo"]) < float(row["homo_high"])
    table = tmp_path / "out.parquet"
    assert main(["predict", str(path), "-o", str(table), "--targets", "homo"]) == 0
    import pyarrow.parquet as pq

    (row,) = pq.read_table(table).to_pylist()
    assert (row["geometry"], row["model"]) == ("hydrogens added", "qm9-smiles")
    assert row["homo_mae"] == pytest.approx(measured[0])


def test_geometry_is_a_column_of_every_prediction_and_no_target(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("smiles,geometry\nCC,1\nCCC,2\n")
    with pytest.raises(InputError, match="a target cannot be called 'geometry'"):
        prepare(TrainConfig(data=str(path), targets="geometry"))
