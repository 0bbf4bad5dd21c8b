"""Wrong settings of a task raise an InputError, not an error of Python."""

import pytest

from molinv.datasets.own_values import classes_of
from molinv.datasets.targets import Target
from molinv.errors import InputError
from molinv.tasks.classes import Classes
from molinv.tasks.energy_forces import EnergyForces


@pytest.mark.parametrize("given", [[1, 2], {"b": "x"}, {"b": -1}, {"b": float("nan")}, "balancd"])
def test_wrong_class_weights_are_refused(given):
    target = Target("y", "", kind="class", classes=("a", "b"))
    with pytest.raises(InputError, match=r"^class_weights: expected .balanced. or weights"):
        Classes([target], class_weights=given, counts=[[1, 1]])


def test_energy_forces_needs_an_energy_and_its_forces():
    class Described:
        def describe(self, names):
            return [Target(name, "eV") for name in names]

    for names in (["a"], ["a", "b"]):
        with pytest.raises(InputError, match="an energy and its forces, got a"):
            EnergyForces.of_molecules(Described(), names, [0])  # pyright: ignore


def test_with_two_classes_the_positive_class_is_the_last():
    assert classes_of(["y", "z", "y", "z"]) == ("z", "y")
    assert classes_of(["x", "y", "z", "x"]) == ("x", "y", "z")
