"""Predictions as tables for people: short cells, 80 columns, nothing lost with --verbose."""

from math import nan
from types import SimpleNamespace

import pytest
from rich.console import Console

from molinv.chem import read
from molinv.cli import main
from molinv.datasets.targets import Target
from molinv.prediction.predictor import Predictor
from molinv.prediction.screen_table import meaning, number, table
from molinv.pretrained import available

SIX = "mu,alpha,homo,lumo,gap,U0"
shipped = pytest.mark.skipif("qm9-smiles" not in available(), reason="no model is shipped")


def fake(*targets, errors=None):
    """A predictor as tables need it."""
    made = SimpleNamespace(targets=list(targets), errors_of=lambda kind: errors or {})
    made.of_kind = lambda kind: made
    return made


def row(name="w", outside=None, **values):
    return {"name": name, "geometry": "embedded", "outside": outside} | values


def drawn(rows, predictor, width=80, **settings) -> str:
    console = Console(record=True, width=width)
    console.print(table(rows, predictor, width, **settings))
    return console.export_text()


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (9296.31, 379.2, "9296"),
        (28.1114, 1.289, "28.1"),
        (1.40772, 0.00067, "1.40772"),
        (-0.001, 4.0, "0.0"),
        (-4217009.1, 82.0, "-4217009"),
        (12345.6, None, "12346"),
        (0.0123456, None, "0.01235"),
        (0.0, None, "0"),
        (1e-9, 1e-10, "1e-09"),
        (nan, 1.0, "-"),
    ],
)
def test_a_number_has_as_many_digits_as_its_error_allows(value, error, text):
    assert number(value, error) == text


@shipped
@pytest.mark.parametrize("names", [",".join(SIX.split(",")[:n]) for n in range(1, 7)])
@pytest.mark.parametrize(
    "smiles",
    [["CCO"], ["CCO", "c1ccccc1O"], ["CC(C)Cc1ccc(cc1)C(C)C(=O)O", "O", "C#N", "CCC", "CC", "C"]],
)
def test_one_to_six_targets_fit_80_columns(names, smiles, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["predict", *smiles, "--targets", names, "--copies", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) < 26
    assert "│" not in "".join(lines)


@shipped
def test_the_half_width_reaches_the_farther_end_of_the_interval():
    predictor = Predictor("qm9-smiles", copies=1, targets=["gap"])
    (found,) = [r for r in predictor.predict(read(["CCO"])) if isinstance(r, dict)]
    half = max(found["gap_high"] - found["gap"], found["gap"] - found["gap_low"])
    assert f"{found['gap']:.0f} ± {half:.0f}" in drawn([found], predictor)


@shipped
def test_details_have_both_ends_and_every_deviation(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["predict", "CCO", "CC", "--targets", "gap,mu", "--verbose"]) == 0
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80
    assert {"interval", "rotations", "members", "MAE"} <= set(shown.split())
    assert " to " in shown
    assert "from residuals of" in " ".join(shown.split())


@shipped
@pytest.mark.parametrize("smiles", ["O", "C", "N", "CCO", "c1ccccc1", "CC(C)=O", "C#N", "C=O"])
def test_well_known_small_molecules_are_inside_the_domain(smiles):
    (found,) = Predictor("qm9-smiles", copies=1).predict(read([smiles]))
    assert isinstance(found, dict)
    assert found["outside"] is None


def test_brackets_in_a_name_are_no_markup_and_no_unit_has_no_brackets():
    rows = [row("c1cc[nH]c1", **{"IC50 [nM]": 1.0})]
    for width in (80, 20):
        shown = drawn(rows, fake(Target("IC50 [nM]", "")), width)
        assert "IC50" in shown
        assert "nM]" in shown
        assert "()" not in shown
        assert "c1cc[nH]c1" in shown


def test_a_molecule_outside_has_an_asterisk_and_no_half_width():
    rows = [row("a", y=1.0, y_low=0.5, y_high=2.0)]
    rows += [row("b", "60 atoms", y=1.0, y_low=0.5, y_high=2.0)]
    shown = " ".join(drawn(rows, fake(Target("y", "eV"), errors={"y": 0.25})).split())
    assert "a 1.0 ± 1.0 b * 1.000 ± ?" in shown
    assert "test MAE 0.25" in shown


def test_without_intervals_the_sign_is_the_spread_over_members_or_absent():
    target = Target("y", "eV")
    rows = [row(y=1.25, y_ensemble_std=0.5, y_low=None, y_high=None)]
    assert meaning(rows, [target]) == "members"
    assert "1.25 +- 0.50" in drawn(rows, fake(target), sign="+-")
    assert meaning([row(y=1.25)], [target]) is None
    assert "±" not in drawn([row(y=1.25)], fake(target))


def test_vectors_values_of_atoms_and_classes_have_short_cells_too():
    dipole = Target("dipole", "D", kind="vector")
    found = row(dipole_x=0.1234, dipole_y=-1.5, dipole_z=0.0, dipole_radius=0.2)
    assert "(0.12, -1.50, 0.00) ± 0.20" in drawn([found], fake(dipole))
    charges = Target("charges", "e", kind="atom scalar")
    found = row(charges=[-0.8, 0.4, 0.4], charges_radius=0.05)
    assert "3 atoms, -0.800 to 0.400 ± 0.050" in drawn([found], fake(charges))
    two = Target("active", "", kind="class", classes=("no", "yes"))
    shown = drawn([row(active=0.912, active_class="yes")], fake(two))
    assert "probability of yes" in shown
    assert "0.91" in shown
    three = Target("colour", "", kind="class", classes=("red", "green", "blue"))
    assert "green 0.50" in drawn([row(colour=0.5, colour_class="green")], fake(three))


def test_long_names_fold_and_many_molecules_go_in_blocks():
    targets = [Target(f"t{i}", "kcal/mol") for i in range(6)]
    values = {f"t{i}": -12345.0 for i in range(6)} | {f"t{i}_low": -12999.0 for i in range(6)}
    values |= {f"t{i}_high": -12000.0 for i in range(6)}
    rows = [row("C" * 60, **values) for _ in range(9)]
    shown = drawn(rows, fake(*targets))
    assert max(map(len, shown.splitlines())) <= 80
    assert shown.count("-12345 ± 654") == 54
