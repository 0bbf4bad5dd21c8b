"""Total energies that are not marked, outliers, classes, and spellings of missing values."""

import numpy as np
import pytest

from molinv.datasets.molecules import Molecules, Target
from molinv.datasets.oddities import explained, outliers, with_totals
from molinv.datasets.own_values import class_numbers, classes_of, missing, number
from molinv.datasets.targets import Field
from molinv.errors import InputError

ENERGY = {1: -13.6, 6: -1036.0, 8: -2043.0}


def molecules(n=60, target="REF_energy", spread=0.5):
    """Random molecules of H, C and O whose energy is the sum of atom energies, plus noise."""
    draw = np.random.default_rng(0)
    made, y = [], []
    for _ in range(n):
        z = draw.choice(list(ENERGY), draw.integers(2, 9))
        made.append((z, np.arange(len(z))[:, None] * [1.5, 0, 0]))
        y.append(sum(ENERGY[k] for k in z) + draw.normal(0, spread))
    return Molecules.from_arrays(made, y, [Target(target, "")])


def test_an_energy_whose_values_grow_with_atom_counts_is_a_total_one():
    made, (note,) = with_totals(molecules())
    assert made.targets[0].atomwise
    assert "'REF_energy' is treated as a total energy, as element counts explain" in note


@pytest.mark.parametrize("name", ["y", "atomization_energy", "Cv"])
def test_other_names_are_asked_about(name):
    made, (note,) = with_totals(molecules(target=name))
    assert not made.targets[0].atomwise
    assert f"If '{name}' is a total energy, pass --atomwise" in note


@pytest.mark.parametrize("spread", [0.0, 300.0])
def test_molecular_weights_and_properties_that_vary_are_not_energies(spread):
    made, notes = with_totals(molecules(spread=spread))
    assert (made.targets[0].atomwise, notes) == (False, [])


def test_too_few_values_say_nothing():
    assert with_totals(molecules(n=12))[1] == []


def test_an_energy_whose_gradient_is_learned_is_a_total_one():
    from dataclasses import replace

    given = molecules(target="label", spread=300.0)
    forces = Field(Target("f", "", kind="atom vector"), np.zeros((len(given.z), 3)))
    made, (note,) = with_totals(replace(given, fields=(forces,)))
    assert made.targets[0].atomwise
    assert "as 'f' is learned as its gradient" in note


def test_only_the_total_energies_of_qm9_are_explained_by_element_counts(sample):
    shares = {t.name: explained(sample, sample.select([t.name])[:, 0]) for t in sample.targets}
    assert {name for name, share in shares.items() if share > 0.999} == {"U0", "U", "H", "G"}
    assert with_totals(sample)[1] == []


def heaps(y):
    made = [([6], [[0.0, 0, 0]])] * len(y)
    ids = [str(i) for i in range(2, len(y) + 2)]
    return Molecules.from_arrays(made, y, [Target("y", "")], ids=ids, smiles=["C"] * len(y))


def test_an_outlier_is_named_with_its_row_and_value():
    y = np.random.default_rng(0).normal(size=60)
    assert list(outliers(heaps(y))) == []
    y[9] = 1e12
    (note,) = outliers(heaps(y))
    assert note.startswith("'y' is 1e+12 in row 11 (C), ")
    y[20] = -900
    (note,) = outliers(heaps(y))
    assert "1 more are beyond 20" in note
    assert list(outliers(heaps(np.r_[np.zeros(50), np.ones(9)]))) == []


def test_values_over_orders_of_magnitude_are_no_outliers():
    y = 10 ** np.random.default_rng(0).uniform(-3, 6, 200)
    (note,) = outliers(heaps(y))
    assert "its logarithm may be easier to learn" in note


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        (["active", "inactive", "", "active"], ("inactive", "active")),
        (["1", "0", "0.0", "NA"], ("0", "1")),
        ([1, 0, 1.0], ("0", "1")),
        ([True, False], ("false", "true")),
        (["yes", "no"], ("no", "yes")),
        (["low", "high", "medium"], ("high", "low", "medium")),
        ([1.0, 0.0, 2.0], None),
        (["1.5", "2"], None),
        (["active", "active"], None),
        (["active", "3"], None),
        ([str(chr(97 + i)) for i in range(21)], None),
        ([], None),
    ],
)
def test_classes_of_a_column(values, classes):
    assert classes_of(values) == classes


def test_numbers_of_classes():
    found = class_numbers(["active", "#N/A", "inactive", None], ("inactive", "active"))
    np.testing.assert_array_equal(found, [1, np.nan, 0, np.nan])
    assert class_numbers(["1.0", 0, True - 0], ("0", "1")).tolist() == [1, 0, 1]
    with pytest.raises(InputError, match=r"'activ'.*did you mean 'active'"):
        class_numbers(["activ"], ("inactive", "active"))


def test_spellings_of_missing_values():
    words = ["", " ", "#N/A", "N/A", "NaN", "nan", "NULL", "null", "#DIV/0!", "<NA>", "None", "-"]
    assert all(missing(word) for word in [*words, None, float("nan"), np.float32("nan")])
    assert not any(missing(word) for word in ["0", 0, 0.0, "no", False, float("inf")])
    assert number(np.array([2.5])) == number(np.array(2.5)) == 2.5
    assert number(np.array([2.5, 1.0])) is None
