"""Coordinates that are not in angstrom are noticed."""

import numpy as np
import pytest
from ase.build import bulk, molecule
from ase.collections import g2

from molinv.cli import main
from molinv.prediction.applicability_domain import wrong_scale


@pytest.mark.parametrize("name", g2.names)
def test_molecules_in_angstrom_are_not_doubted(name):
    assert wrong_scale(g2[name].numbers, g2[name].positions) is None


@pytest.mark.parametrize("scale", [0.1, 0.529, 1.89, 100.0])
@pytest.mark.parametrize("name", ["H2O", "CH3CH2OH", "C6H6"])
def test_other_units_are_noticed(name, scale):
    atoms = molecule(name)
    said = wrong_scale(atoms.numbers, scale * atoms.positions)
    assert said is not None
    assert "angstrom" in said


def test_metals_noble_gases_and_single_atoms_are_not_judged():
    for atoms in (bulk("Cu", cubic=True), molecule("H")):
        assert wrong_scale(atoms.numbers, 3 * atoms.positions) is None
    assert wrong_scale(np.array([18, 18]), np.array([[0, 0, 0], [0, 0, 3.8]])) is None


def test_predict_says_so(tmp_path, capsys):
    water = molecule("H2O")
    water.positions /= 10
    water.write(tmp_path / "nm.xyz")
    assert main(["predict", "qm9", str(tmp_path / "nm.xyz"), "--targets", "homo"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "bond lengths apart: give coordinates in angstrom" in shown
    assert "± ?" in shown
