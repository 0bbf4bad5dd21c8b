"""MolInvCalculator: a deterministic energy in ASE's units, and forces that are its gradient."""

import pickle
import shutil

import numpy as np
import pyarrow.csv as csv
import pyarrow.parquet as pq
import pytest
import torch
from ase import Atoms, units
from ase.build import molecule
from ase.io import read as read_ase
from ase.io import write
from ase.md.verlet import VelocityVerlet
from ase.optimize import BFGS
from tiny_model import ENERGY, GAP, tiny_model

from molinv import Augmented, InputError, pretrained
from molinv.chem import MolInvCalculator, Structure
from molinv.chem.structure import GIVEN
from molinv.cli import main
from molinv.datasets.molecules import Target
from molinv.distributions import Categorical, Composed
from molinv.groups import O3, SO3, Reflection
from molinv.predict import Predictor
from molinv.prediction.averaged import _fixed
from molinv.training.saved import load, save

SHIPPED = pytest.mark.skipif(not pretrained.available(), reason="no model is shipped")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("models") / "energy", scale=30000.0)


@pytest.fixture(scope="module")
def sloped(tmp_path_factory):
    """A model that is marked as trained on forces."""
    return tiny_model(tmp_path_factory.mktemp("models") / "forces", scale=30000.0, forces=True)


TETRAHEDRON = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) * 0.59


def ethanol() -> Atoms:
    atoms = molecule("CH3CH2OH")
    atoms.rattle(0.05, seed=1)
    return atoms


def differences(atoms: Atoms, step: float) -> np.ndarray:
    """The negative gradient for the first three atoms (3, 3), by central differences."""
    forces = np.zeros((3, 3))
    for a in range(3):
        for c in range(3):
            ends = []
            for sign in (1, -1):
                moved = atoms.copy()
                moved.positions[a, c] += sign * step
                moved.calc = atoms.calc
                ends.append(moved.get_potential_energy())
            forces[a, c] = -(ends[0] - ends[1]) / (2 * step)
    return forces


@pytest.mark.parametrize("orbit", ["haar", "learned", "identity"])
def test_forces_are_the_energys_negative_gradient(sloped, orbit):
    atoms = ethanol()
    atoms.calc = MolInvCalculator(sloped, orbit=orbit, copies=4, degree=1, double=True)
    forces = atoms.get_forces()
    assert abs(forces).max() > 0.1
    np.testing.assert_allclose(differences(atoms, 1e-4), forces[:3], atol=1e-5)
    assert abs(forces.sum(0)).max() < 1e-6  # the molecule is centred before the network


@pytest.mark.parametrize("model", ["painn", "graph"])
def test_other_architectures_have_gradients_too(tmp_path, model):
    args = {"width": 16, "layers": 1} if model == "painn" else {}
    folder = tiny_model(tmp_path, scale=3000.0, forces=True, model=model, model_args=args)
    atoms = ethanol()
    atoms.calc = MolInvCalculator(folder, orbit="learned", copies=1, double=True)
    forces = atoms.get_forces()
    assert abs(forces).max() > 1e-3
    np.testing.assert_allclose(differences(atoms, 1e-4), forces[:3], atol=1e-6)


def test_model_canonical_has_energies(tmp_path):
    args = {"model": "point", "model_args": {"width": 16, "layers": 1}}
    atoms = ethanol()
    atoms.calc = MolInvCalculator(tiny_model(tmp_path, model="canonical", model_args=args))
    assert np.isfinite(atoms.get_potential_energy())


def test_forces_are_refused_unless_the_model_learned_them(folder, sloped, tmp_path):
    atoms = ethanol()
    atoms.calc = MolInvCalculator(folder, orbit="learned", double=True)
    energy = atoms.get_potential_energy()
    said = r"learned no forces, .*: train a model on energies and forces .*energy,forces"
    with pytest.raises(InputError, match=said) as caught:
        atoms.get_forces()
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="learned no forces"):
        BFGS(atoms, logfile=None).run(fmax=0.1, steps=2)
    write(tmp_path / "a.extxyz", atoms)  # ASE writes the energy without forces
    assert read_ase(tmp_path / "a.extxyz").get_potential_energy() == pytest.approx(energy)
    atoms.calc = MolInvCalculator(sloped, orbit="learned", double=True)
    assert atoms.get_forces().shape == (9, 3)
    assert atoms.get_potential_energy() == pytest.approx(energy)  # the same weights


def test_charge_and_spin_are_those_of_the_atoms(tmp_path):
    cations = {"states": [[0, 0], [1, 0]]}
    atoms = molecule("H2O")
    atoms.calc = MolInvCalculator(tiny_model(tmp_path, facts=cations))
    neutral = atoms.get_potential_energy()
    atoms.info["charge"] = 1  # leaves nine electrons
    with pytest.raises(InputError, match=r"this one has charge \+1 and 1 unpaired electron: "):
        atoms.get_potential_energy()
    atoms.info["charge"] = 0
    assert atoms.get_potential_energy() == neutral
    atoms.set_initial_charges([-1.0, 0.0, 0.0])
    del atoms.info["charge"]
    with pytest.raises(InputError, match="charge -1"):
        atoms.get_potential_energy()
    methyl, ammonium = molecule("CH3"), Atoms("NH4", [[0, 0, 0], *TETRAHEDRON])
    methyl.calc = ammonium.calc = atoms.calc
    with pytest.raises(InputError, match="its input gives no charge"):
        methyl.get_potential_energy()
    ammonium.info["charge"] = 1
    assert np.isfinite(ammonium.get_potential_energy())


def test_values_equal_those_of_the_predictor_in_electronvolts(folder):
    atoms = ethanol()
    calculator = MolInvCalculator(folder, orbit="learned", copies=8, seed=0)
    atoms.calc = calculator
    given = Structure("e", atoms.numbers, atoms.positions, "argument", GIVEN)
    generator = torch.Generator().manual_seed(0)
    network = Predictor(folder).saved.network
    drawn = [network.distribution.rsample(1, generator) for _ in range(8)]
    calculator.averaged.elements = torch.cat(drawn).detach()  # the predictor draws them one by one
    (row,) = Predictor(folder, copies=8).predict([given])
    assert atoms.get_potential_energy() == pytest.approx(row["U0"] * 1e-3, abs=1e-5)
    assert calculator.results["free_energy"] == calculator.results["energy"]
    spread = row["U0_std"] * 1e-3 * np.sqrt(7 / 8)  # the population's standard deviation
    assert calculator.get_property("energy_std", atoms) == pytest.approx(spread, rel=1e-3)


@pytest.mark.parametrize(
    ("unit", "factor"), [("eV", 1.0), ("Hartree", units.Ha), ("kcal/mol", units.kcal / units.mol)]
)
def test_energies_are_converted_to_the_units_of_ase(tmp_path, unit, factor):
    energy = Target("E", unit, atomwise=True)
    atoms = molecule("H2O")
    atoms.calc = MolInvCalculator(tiny_model(tmp_path / "a", (energy,), 1.0, forces=True))
    other = molecule("H2O")
    ev = Target("E", "eV", atomwise=True)
    other.calc = MolInvCalculator(tiny_model(tmp_path / "b", (ev,), 1.0, forces=True))
    expected = factor * other.get_potential_energy()
    assert atoms.get_potential_energy() == pytest.approx(expected, rel=1e-6)
    np.testing.assert_allclose(atoms.get_forces(), factor * other.get_forces(), rtol=1e-4)


def test_total_energies_include_the_atom_references(folder, tmp_path, capsys):
    other, references = tmp_path / "total", {1: -13_600.0, 6: -1_030_000.0, 8: -2_040_000.0}
    shutil.copytree(folder, other)
    saved = load(other)
    for z, value in references.items():
        saved.standardizer.references[z, 0] = value
    facts = {k: saved.card[k] for k in ("elements", "atoms", "placement")}
    save(other, saved.network, saved.task, saved.card["build"], facts)
    atoms = ethanol()
    whole = sum(references[z] for z in atoms.numbers)
    energies = []
    for total in (False, True):
        atoms.calc = MolInvCalculator(other, total=total, double=True)
        energies.append(atoms.get_potential_energy())
    assert energies[1] - energies[0] == pytest.approx(whole * 1e-3, abs=1e-6)
    for out in ("a.csv", "a.parquet", "b.csv", "b.parquet"):
        smiles, flags = tmp_path / "e.smi", ["--total"] * out.startswith("b")
        smiles.write_text("CCO\n")
        assert main(["predict", str(other), str(smiles), "-o", str(tmp_path / out), *flags]) == 0
    relative, total = (csv.read_csv(tmp_path / f"{n}.csv").to_pylist()[0] for n in "ab")
    assert total["U0"] - relative["U0"] == pytest.approx(whole)
    assert total["gap"] == pytest.approx(relative["gap"])
    table = pq.read_table(tmp_path / "b.parquet").to_pylist()
    assert table[0]["U0"] == pytest.approx(total["U0"])
    capsys.readouterr()
    assert main(["predict", str(other), "CCO", "--total"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert f"{total['U0']:.0f}"[:5] in shown  # all digits, not 1e+06
    assert "U0: total energies" in shown
    assert "not total energies" not in shown


def test_total_energies_need_an_atomwise_target(tmp_path):
    folder = tiny_model(tmp_path, (GAP,))
    with pytest.raises(InputError, match="no energies relative to atom references among gap"):
        Predictor(folder, total=True)


def test_energies_are_the_same_every_time_and_in_every_calculator(folder):
    first, again = MolInvCalculator(folder, orbit="learned"), MolInvCalculator(folder)
    assert again.parameters["orbit"] == "haar"  # the tiny model's distribution is nearly Haar
    atoms, other = ethanol(), ethanol()
    atoms.calc, other.calc = first, MolInvCalculator(folder, orbit="learned")
    before = atoms.get_potential_energy()
    torch.rand(5)
    assert other.get_potential_energy() == before
    atoms.positions += [1.0, -2.0, 3.0]
    assert atoms.get_potential_energy() == pytest.approx(before, abs=1e-5)


def test_forces_rotate_with_the_molecule_up_to_the_error_of_the_quadrature(sloped):
    g = SO3().haar(1, torch.Generator().manual_seed(1))[0].double().numpy()

    def error(degree):
        atoms = ethanol()
        calculator = MolInvCalculator(sloped, orbit="haar", degree=degree, double=True)
        atoms.calc = calculator
        energy, forces = atoms.get_potential_energy(), atoms.get_forces()
        atoms.positions = atoms.positions @ g.T
        turned = atoms.get_potential_energy()
        return abs(turned - energy), abs(atoms.get_forces() - forces @ g.T).max()

    rough, fine = error(0), error(9)
    assert fine[0] < 1e-3 * rough[0]
    assert fine[1] < 1e-2 * rough[1]


def drift(folder, step: float, orbit: str, steps: int) -> float:
    """The largest change of the total energy, eV, in `steps` steps of `step` fs at 300 K."""
    atoms = molecule("H2O")
    atoms.calc = MolInvCalculator(folder, orbit=orbit, degree=1, copies=4, double=True)
    thermal = np.sqrt(atoms.get_masses()[:, None] * units.kB * 300)
    atoms.set_momenta(thermal * np.random.default_rng(0).normal(size=(3, 3)))
    dynamics = VelocityVerlet(atoms, timestep=step * units.fs)
    total = [atoms.get_total_energy()]
    dynamics.attach(lambda: total.append(atoms.get_total_energy()))
    dynamics.run(steps)
    return float(np.ptp(total))


@pytest.mark.parametrize("orbit", ["haar", "learned"])
def test_dynamics_conserve_the_energy(tmp_path, orbit):
    # the error of Verlet's method falls with the square of the step if forces are the gradient
    folder = tiny_model(tmp_path, scale=100_000.0, forces=True)
    coarse, fine = drift(folder, 0.4, orbit, 50), drift(folder, 0.1, orbit, 200)
    assert coarse < 5e-3
    assert fine < coarse / 10


@SHIPPED
def test_the_shipped_model_orders_isomers_and_has_no_forces():
    ethanol, ether = molecule("CH3CH2OH"), molecule("CH3OCH3")
    ethanol.calc = ether.calc = MolInvCalculator(degree=1)
    assert ethanol.calc.target == "U0"
    gap = ether.get_potential_energy() - ethanol.get_potential_energy()
    assert gap == pytest.approx(0.5, abs=0.3)  # eV; QM9's is 0.5
    with pytest.raises(InputError, match=r"model qm9(-xtb)? learned no forces"):
        ethanol.get_forces()


@pytest.mark.parametrize(
    ("atoms", "said"),
    [
        (Atoms("CO", [[0, 0, 0], [0, 0, 1.1]], cell=[9, 9, 9], pbc=True), "periodic"),
        (Atoms("SiO", [[0, 0, 0], [0, 0, 1.5]]), "not trained on Si"),
        (Atoms("CO"), "coincide"),
        (Atoms(), "at least one atom"),
        (Atoms("CO", [[0, 0, 0], [0, 0, np.nan]]), "finite"),
    ],
)
def test_unusable_atoms_are_refused(folder, atoms, said):
    atoms.calc = MolInvCalculator(folder)
    with pytest.raises(InputError, match=said) as caught:
        atoms.get_potential_energy()
    assert "\n" not in str(caught.value)


def test_models_without_a_clear_energy(tmp_path):
    dipole = Target("mu", "D")
    with pytest.raises(InputError, match=r"cannot give an energy.*mu in D"):
        MolInvCalculator(tiny_model(tmp_path / "a", (dipole,)))
    two = tiny_model(tmp_path / "b", (GAP, Target("H", "eV")))
    with pytest.raises(InputError, match="gap, H"):
        MolInvCalculator(two)
    assert MolInvCalculator(two, "H").target == "H"
    with pytest.raises(InputError, match="'mu' as an energy"):
        MolInvCalculator(tiny_model(tmp_path / "c", (dipole, ENERGY)), energy="mu")
    with pytest.raises(InputError, match="'spiral'"):
        MolInvCalculator(two, "H", orbit="spiral")


def test_nothing_is_unpickled(folder, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("unpickled")

    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)
    monkeypatch.setattr(torch, "load", refuse)
    atoms = molecule("H2O")
    atoms.calc = MolInvCalculator(folder)
    atoms.get_potential_energy()


def test_finite_parts_of_a_learned_distribution_are_summed_exactly():
    """Each drawn rotation is used with and without inversion; a finite group needs no draws."""
    mirror = Categorical(Reflection(3), init=0.3)
    for mu, copies, rest in ((mirror, 16, 1), (Composed(O3(), init=0.5), 6, 3)):
        elements, weights = _fixed(Augmented(torch.nn.Identity(), mu), "learned", 0, copies, 0)
        assert len(elements) == 2 * rest
        inverted = torch.linalg.det(elements) < 0
        moved = float(mu.extent()["moved"].value.detach())
        assert float(weights[inverted].sum()) == pytest.approx(moved)
        assert float(weights.sum()) == pytest.approx(1)
    drawn, weights = _fixed(Augmented(torch.nn.Identity(), mirror), "learned", 0, 1, 0)
    assert drawn.shape == (1, 3, 3)
    assert weights.tolist() == [1.0]
