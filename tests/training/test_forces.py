"""Energies learned with forces: predicted forces are the gradient of the averaged energy."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from ase import Atoms
from small_run import small

from molinv import InputError
from molinv.chem import MolInvCalculator
from molinv.chem.structure import GIVEN, Structure
from molinv.datasets.batches import Batch, OnDevice
from molinv.datasets.molecules import Molecules, Target
from molinv.datasets.own import read_own
from molinv.datasets.references import Standardizer
from molinv.groups import SO3
from molinv.predict import Predictor
from molinv.prediction.evaluate import evaluate
from molinv.prediction.library import predict_library
from molinv.tasks import of_molecules
from molinv.tasks.atom_values import AtomValues
from molinv.tasks.energy_forces import EnergyForces, potential, slopes, with_gradient
from molinv.training.build import make_network
from molinv.training.run import train
from molinv.training.saved import load

COUNT = 90


def pairs(z, pos):
    """Energy (eV) and forces of an easy potential: Morse potentials between all pairs."""
    n = len(z)
    i, j = np.triu_indices(n, 1)
    r = pos[i] - pos[j]
    d = np.linalg.norm(r, axis=1)
    depth, reach = 0.2 * np.sqrt(z[i] * z[j]) / 6, 1.0 + 0.05 * (z[i] + z[j]) / 2
    x = np.exp(-(d - reach))
    slope = (depth * 2 * (1 - x) * x)[:, None] * r / d[:, None]
    forces = np.zeros((n, 3))
    np.add.at(forces, i, -slope)
    np.add.at(forces, j, slope)
    return float((depth * (1 - x) ** 2).sum()), forces


def write(path, frames, more=""):
    lines = []
    for z, pos, energy, forces in frames:
        symbols = Atoms(numbers=z).get_chemical_symbols()
        lines += [str(len(z)), f"Properties=species:S:1:pos:R:3:forces:R:3 energy={energy} {more}"]
        for s, x, f in zip(symbols, pos, forces, strict=True):
            lines.append(s + " " + " ".join(f"{v:.8f}" for v in (*x, *f)))
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def frames():
    draw, made = np.random.default_rng(0), []
    for _ in range(COUNT):
        n = int(draw.integers(3, 7))
        z = draw.choice([1, 6, 8], n)
        pos = np.cumsum(draw.normal(0, 0.8, (n, 3)) + 0.4, axis=0)
        made.append((z, np.round(pos, 8), *pairs(z, pos)))
    return made


@pytest.fixture(scope="module")
def path(frames, tmp_path_factory):
    return write(tmp_path_factory.mktemp("data") / "morse.extxyz", frames)


@pytest.fixture(scope="module")
def folder(path, tmp_path_factory):
    """An evaluated run of a network without built-in symmetry."""
    folder = tmp_path_factory.mktemp("runs") / "morse"
    settings = dict(data=str(path), targets="energy,forces", train_size=None, valid_size=None)
    train(small(folder, **settings, epochs=16, batch_size=8, copies=2, lr=3e-3))
    evaluate(folder, copies=2)
    return folder


def test_forces_train_with_peaks_whose_probabilities_are_not_measured(path, tmp_path):
    settings = dict(targets="energy,forces", train_size=None, valid_size=None, epochs=4)
    peaks = dict(distribution="Peaks", distribution_args={"count": 4}, batch_size=8)
    train(small(tmp_path, **(settings | peaks | {"data": str(path)})))


def test_a_file_has_forces_for_its_atoms(path, frames):
    targets = [Target("energy", ""), Target("forces", "")]
    own = read_own(path, targets)
    energy, forces = own.molecules.describe(["energy", "forces"])
    assert (energy.unit, energy.atomwise) == ("eV", True)
    assert (forces.unit, forces.kind) == ("eV/angstrom", "atom vector")
    assert np.allclose(
        own.molecules.values(["forces"])[:, 0], np.concatenate([f[3] for f in frames])
    )
    every = np.arange(len(own.molecules))
    task = of_molecules(own.molecules, ["forces", "energy"], every)
    assert isinstance(task, EnergyForces)
    assert (task.columns, task.outputs, task.kind) == (["energy", "forces"], 1, "scalar")
    task = of_molecules(own.molecules, ["forces"], every)
    assert isinstance(task, AtomValues)
    assert (task.columns, task.kind) == (["forces"], "atom vector")


def test_forces_rotate_with_the_molecule_and_are_zero_for_padding(path):
    own = read_own(path, [Target("energy", ""), Target("forces", "")]).molecules
    y, forces = own.values(["energy"]), own.values(["forces"])[:, 0]
    stored = OnDevice(own, y, "cpu", forces=forces).gather(np.arange(10))
    turned = OnDevice(own, y, "cpu", forces=forces, rotate=True).gather(np.arange(10))
    assert torch.equal(stored.forces.isnan().any(-1), ~stored.mask)
    for i in range(10):
        inside = stored.mask[i]
        a, b = stored.pos[i, inside].double(), turned.pos[i, inside].double()
        g = torch.linalg.lstsq(a, b).solution.mT
        if inside.sum() > 3:
            assert torch.allclose(
                stored.forces[i, inside] @ g.mT, turned.forces[i, inside], atol=1e-4
            )
    assert stored.to("cpu").forces is not None


def test_training_lowers_both_errors_and_says_them_with_units(folder):
    with (folder / "metrics.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["energy_stored"]]
    for name in ("energy", "forces"):
        for view in ("stored", "rotated"):
            assert float(rows[-1][f"{name}_{view}"]) < 0.95 * float(rows[0][f"{name}_{view}"])
    card = json.loads((folder / "model.json").read_text())
    assert card["validation"]["forces"]["unit"] == "eV/angstrom"
    found = json.loads((folder / "evaluation.json").read_text())["targets"]
    assert found["forces"]["unit"] == "eV/angstrom"
    for row in (found["energy"], found["forces"], found["forces"]["components"]):
        assert 0 < row["averaged"] <= 1.05 * row["rotated"]
    assert found["forces"]["components"]["stored"] < found["forces"]["stored"]


def test_the_gradient_of_a_sampled_pose_is_the_rotated_force():
    """d/dx f(g x) = g^-1 (grad f)(g x), which training and averages rely on."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = make_network(
            1,
            model="point",
            model_args={"width": 32, "layers": 2},
            group="SO3",
            distribution="HaarBall",
            distribution_args={},
        ).double()
    generator = torch.Generator().manual_seed(0)
    pos = torch.randn(2, 5, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    z = torch.tensor([[6, 1, 8, 1, 1], [7, 6, 1, 1, 6]])
    g = SO3().double().haar(2, generator).double()
    batch = Batch(pos, z, torch.zeros(2, 1), torch.arange(2))
    found = slopes(network.run(g, pos, z)[0][:, 0], batch, center=False)
    there = replace(batch, pos=(pos.detach() @ g.mT).requires_grad_())
    inner = slopes(network.model(there.pos, z)[:, 0], there, center=False)
    assert torch.allclose(found, inner @ g, atol=1e-12)
    balanced = slopes(network.run(g, pos, z)[0][:, 0], batch)
    assert found.sum(1).abs().max() > 1e-3
    assert balanced.sum(1).abs().max() < 1e-12
    assert found.abs().max() > 1e-3


def test_predicted_forces_are_the_slope_of_the_predicted_energy(folder, frames):
    """Against finite differences of the energy, averaged over the same elements."""
    saved = load(folder)
    network, standardizer = saved.network.double(), saved.standardizer
    z, pos, *_ = next(f for f in frames if len(f[0]) == 6)
    structure = Structure("x", z, pos, "test", GIVEN)
    from molinv.prediction.predictor import pad

    batch = pad([structure])
    batch = replace(batch, pos=batch.pos.double())
    found = potential(network, standardizer, batch, True, "learned", 3)
    assert float(found.std) > 1e-5  # this network is not invariant
    step = 1e-4
    for atom in (0, 5):
        for axis in range(3):
            ends = []
            for sign in (1, -1):
                moved = batch.pos.clone()
                moved[0, atom, axis] += sign * step
                moved = moved - moved.mean(1, keepdim=True)
                there = replace(batch, pos=moved)
                part = potential(network, standardizer, there, True, "learned", 3)
                ends.append(float(part.energy))
            slope = -(ends[0] - ends[1]) / (2 * step)
            assert float(found.forces[0, atom, axis]) == pytest.approx(slope, abs=1e-4)


def test_predict_and_the_calculator_give_the_same(folder, frames):
    z, pos, *_ = frames[0]
    structure = Structure("x", z, pos, "test", GIVEN)
    (row,) = Predictor(folder, copies=4).predict([structure])
    assert row["forces_unit"] == "eV/angstrom"
    assert row["forces_mae"] > 0
    atoms = Atoms(numbers=z, positions=pos)
    atoms.calc = MolInvCalculator(folder, orbit="learned", copies=4)
    generator = torch.Generator().manual_seed(0)
    mu = load(folder).network.distribution
    drawn = [mu.rsample(1, generator) for _ in range(4)]
    atoms.calc.averaged.elements = torch.cat(drawn).detach()
    assert atoms.get_potential_energy() == pytest.approx(row["energy"], abs=1e-5)
    assert np.allclose(atoms.get_forces(), row["forces"], atol=1e-4)


def test_a_library_has_no_columns_for_forces_and_says_so(folder, path, tmp_path):
    out = tmp_path / "out.parquet"
    with pytest.raises(InputError, match=r"forces has several: write .*--targets energy\.$"):
        predict_library(path, out, folder, progress=False)
    assert not list(tmp_path.iterdir())
    assert predict_library(path, out, folder, targets=["energy"], progress=False).failed == 0


def test_gradients_reach_the_network_and_the_extents(path):
    own = read_own(path, [Target("energy", ""), Target("forces", "")]).molecules
    store = OnDevice(own, own.values(["energy"]), "cpu", forces=own.values(["forces"])[:, 0])
    batch = with_gradient(store.gather(np.arange(8)))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = make_network(
            1,
            model="point",
            model_args={"width": 32, "layers": 2},
            group="SO3",
            distribution="UniformBox",
            distribution_args={"init": 0.5},
            copies=2,
        ).train()
    outputs = network(batch.pos, batch.z, generator=torch.Generator().manual_seed(0))
    force = torch.stack([slopes(copy[:, 0], batch) for copy in outputs])
    assert force.shape == (2, *batch.pos.shape)
    assert not force[:, ~batch.mask].any()
    force.square().sum().backward()
    assert all(p.grad.abs().max() > 0 for p in network.distribution.parameters())
    missing = [n for n, p in network.model.named_parameters() if p.grad is None]
    assert missing == ["read.3.bias"]  # a constant has no gradient


def test_the_scale_of_forces_has_no_direction(path):
    own = read_own(path, [Target("energy", ""), Target("forces", "")]).molecules
    made = Standardizer.fit(own, ["energy"], np.arange(50), "forces")
    rows = own.values(["forces"])[: own.ptr[50], 0]
    assert float(made.force_scale) == pytest.approx(np.sqrt((rows**2).sum(1).mean()))
    again = Standardizer.from_config(json.loads(json.dumps(made.config())))
    again.load_state_dict(made.state_dict())
    assert again.forces == made.forces
    plain = Standardizer.fit(own, ["energy"], np.arange(50))
    assert "force_scale" not in plain.state_dict()
    assert "forces" not in plain.config()


def test_settings_that_exclude_each_other_are_refused_in_a_sentence(frames, path, tmp_path):
    common = dict(data=str(path), train_size=None, valid_size=None, epochs=1)
    for changes, reason in (
        ({"targets": "energy,forces [kcal/mol/A]"}, "expected eV/angstrom"),
        ({"targets": "energy,forces", "model": "canonical", "model_args": {}}, "model canonical"),
        ({"targets": "energy,forces", "compile": True}, "leave out --compile"),
        ({"targets": "energy,forces", "weights": {"force": 3}}, "did you mean 'forces'"),
        ({"targets": "energy,force"}, "did you mean 'forces'"),
        ({"targets": "energy,forces", "weights": {"forces": -1}}, "at least 0"),
    ):
        with pytest.raises(InputError) as error:
            train(small(tmp_path / "none", **(common | changes)))
        assert reason in str(error.value)
    short = write(tmp_path / "a.extxyz", frames[:12])
    text = short.read_text().splitlines()
    text[2] = text[2].rsplit(" ", 1)[0] + " x"  # not a number
    short.write_text("\n".join(text) + "\n")
    own = read_own(short, [Target("energy", ""), Target("forces", "")])
    assert [r.reason[:23] for r in own.rejected] == ["expected an atom vector"]
    odd = read_own(write(tmp_path / "b.extxyz", frames[:3], "charge=1"), [Target("charge", "")])
    assert len(odd.molecules) == 3


def test_missing_values_and_other_kinds_of_columns(frames, tmp_path):
    z, *_ = frames[0]
    some = write(tmp_path / "some.extxyz", frames[:3], 'dipole="1 2 3" q="1 0 0 0 2 0 0 0 3"')
    text = some.read_text().splitlines()
    text[1] = text[1].replace(":forces:R:3", "").replace('dipole="1 2 3"', "")
    for line in range(2, 2 + len(z)):
        text[line] = " ".join(text[line].split()[:4])
    some.write_text("\n".join(text) + "\n")
    targets = [Target(n, "") for n in ("energy", "forces", "dipole", "q")]
    own = read_own(some, targets).molecules
    kinds = [t.kind for t in own.describe(["energy", "forces", "dipole", "q"])]
    assert kinds == ["scalar", "atom vector", "vector", "tensor"]
    assert np.isnan(own.values(["forces"])[: len(z)]).all()
    assert not np.isnan(own.values(["forces"])[len(z) :]).any()
    assert np.array_equal(own.values(["dipole"])[1:, 0], [[1, 2, 3]] * 2)
    assert np.isnan(own.values(["dipole"])[0]).all()
    assert own.describe(["dipole"])[0].unit == "e angstrom"
    assert np.array_equal(own.values(["q"])[1, 0], np.diag([1.0, 2, 3]))


def test_an_ase_database_has_them_too(frames, tmp_path):
    import ase.db
    from ase.calculators.singlepoint import SinglePointCalculator

    with ase.db.connect(tmp_path / "d.db") as database:
        for z, pos, energy, forces in frames[:4]:
            atoms = Atoms(numbers=z, positions=pos)
            results = dict(energy=energy, forces=forces, dipole=pos[0], charges=pos[:, 0])
            atoms.calc = SinglePointCalculator(atoms, **results)
            database.write(atoms)
    names = ["energy", "forces", "dipole", "charges"]
    own = read_own(tmp_path / "d.db", [Target(n, "") for n in names]).molecules
    units = [(t.kind, t.unit) for t in own.describe(names)]
    assert units[1:] == [
        ("atom vector", "eV/angstrom"),
        ("vector", "e angstrom"),
        ("atom scalar", "e"),
    ]
    assert np.allclose(own.values(["forces"])[:, 0], np.concatenate([f[3] for f in frames[:4]]))
    assert np.allclose(own.values(["dipole"])[:, 0], [f[1][0] for f in frames[:4]])
    assert np.allclose(
        own.values(["charges"])[:, 0], np.concatenate([f[1][:, 0] for f in frames[:4]])
    )
    assert isinstance(own, Molecules)
