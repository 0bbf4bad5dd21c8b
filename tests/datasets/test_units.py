"""Units: one spelling for each, and forces in the energy's unit over angstrom."""

import pytest

from molinv.datasets.targets import Target
from molinv.datasets.units import check_forces, spelled
from molinv.errors import InputError


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("ev", "eV"),
        (" EV ", "eV"),
        ("mev", "meV"),
        ("MeV", "MeV"),  # mega-electronvolt
        ("Cal", "Cal"),
        ("hartree", "Ha"),
        ("kcal mol-1", "kcal/mol"),
        ("kcal mol^-1 Å^-1", "kcal/mol/angstrom"),
        ("kcal·mol⁻¹·Å⁻¹", "kcal/mol/angstrom"),
        ("kcal/(mol A)", "kcal/mol/angstrom"),
        ("KJ/MOL", "kJ/mol"),
        ("eV/Ang", "eV/angstrom"),
        ("Hartree/Bohr", "Ha/a0"),
        ("a0**3", "a0^3"),
        ("e*A", "e angstrom"),
        ("cal/(mol K)", "cal/mol/K"),
        ("nM", "nM"),  # nanomolar, not a length
        ("log mol/L", "log mol/L"),
        ("eV/A/", "eV/A/"),
        ("%", "%"),
        ("", ""),
    ],
)
def test_spellings(given, expected):
    assert spelled(given) == expected
    assert spelled(expected) == expected


@pytest.mark.parametrize(
    ("energy", "forces"),
    [
        ("eV", "eV/angstrom"),
        ("ev", "eV/A"),
        ("kcal/mol", "kcal/mol/angstrom"),
        ("kcal mol-1", "kcal/(mol Å)"),
        ("units", "units/A"),
        ("eV", ""),
        ("", ""),
    ],
)
def test_forces_that_fit_their_energy(energy, forces):
    check_forces(Target("e", energy), Target("f", forces, kind="atom vector"))


@pytest.mark.parametrize(
    ("energy", "forces"),
    [
        ("kcal/mol", "eV/angstrom"),
        ("Ha", "Ha/bohr"),
        ("kcal/mol", "kcal/angstrom"),
        ("", "eV/angstrom"),
        ("meV", "MeV/angstrom"),
        ("eV", "eV"),
    ],
)
def test_forces_in_another_unit_are_refused(energy, forces):
    with pytest.raises(InputError, match="the forces 'f' are in"):
        check_forces(Target("e", energy), Target("f", forces, kind="atom vector"))
