"""Dipoles in MolInvCalculator, from a second model besides that of the energy."""

import numpy as np
import pytest
from ase.build import molecule
from tiny_model import GAP, tiny_model

from molinv import InputError
from molinv.chem import MolInvCalculator
from molinv.datasets.molecules import Target
from molinv.datasets.moments import DEBYE

VECTOR = Target("dipole", "e angstrom", kind="vector")


def models(folder, **changes):
    settings = {"model": "painn", "model_args": {"width": 16, "layers": 1}} | changes
    energy = tiny_model(folder / "energy", scale=3000.0)
    return energy, tiny_model(folder / "dipole", (VECTOR,), 1.0, kind="vector", **settings)


def test_the_dipole_rotates_with_the_molecule_and_has_the_unit_of_ase(tmp_path):
    energy, dipole = models(tmp_path)
    atoms = molecule("CH3CH2OH")
    atoms.calc = MolInvCalculator(energy, dipole=dipole, orbit="identity", double=True)
    here = atoms.get_dipole_moment()
    assert np.linalg.norm(here) > 1e-4
    assert "dipole" in atoms.calc.implemented_properties
    assert "dipole" not in MolInvCalculator.implemented_properties
    g = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    g[:, 0] *= np.linalg.det(g)
    atoms.positions = atoms.positions @ g.T
    assert np.allclose(atoms.get_dipole_moment(), g @ here, atol=1e-8)
    debye = Target("dipole", "D", kind="vector")
    other = tiny_model(
        tmp_path / "debye",
        (debye,),
        1.0,
        kind="vector",
        model="painn",
        model_args={"width": 16, "layers": 1},
    )
    atoms.calc = MolInvCalculator(energy, dipole=other, orbit="identity", double=True)
    assert np.allclose(atoms.get_dipole_moment(), g @ here / DEBYE, atol=1e-8)


def test_averaging_over_all_rotations_makes_the_dipole_more_equivariant(tmp_path):
    """The error of a network that is not equivariant falls with the quadrature's degree."""
    energy, dipole = models(
        tmp_path, model="point", model_args={"width": 16, "layers": 1, "kernels": 4}
    )
    atoms = molecule("CH3OH")
    g = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    g[:, 0] *= np.linalg.det(g)
    misses = {}
    for orbit, degree in (("identity", 1), ("haar", 2), ("haar", 7)):
        atoms = molecule("CH3OH")
        atoms.calc = MolInvCalculator(
            energy, dipole=dipole, orbit=orbit, degree=degree, double=True
        )
        here = atoms.get_dipole_moment()
        atoms.positions = atoms.positions @ g.T
        misses[orbit, degree] = np.linalg.norm(atoms.get_dipole_moment() - g @ here)
    assert misses["identity", 1] > 3 * misses["haar", 2] > 3 * misses["haar", 7]


def test_a_model_that_does_not_predict_one_vector_is_refused(tmp_path):
    energy, _ = models(tmp_path)
    other = tiny_model(tmp_path / "gap", (GAP,))
    with pytest.raises(InputError, match="cannot give the dipole: expected one vector in e ang"):
        MolInvCalculator(energy, dipole=other)
    with pytest.raises(InputError, match="no model in"):
        MolInvCalculator(energy, dipole=tmp_path / "nowhere")
    with pytest.raises(InputError, match="cannot give an energy"):
        MolInvCalculator(tmp_path / "dipole")
