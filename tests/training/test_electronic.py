"""GFN2-xTB results as inputs of networks."""

import csv
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write
from small_run import SAMPLE, small

from molinv import InputError, datasets, groups, models
from molinv.chem import descriptors, read, xtb
from molinv.chem.descriptors import Descriptors
from molinv.chem.structure import GIVEN, Rejected, Structure
from molinv.datasets import electronic as cached
from molinv.datasets.batches import OnDevice
from molinv.datasets.electronic import electronics
from molinv.datasets.features import sizes
from molinv.datasets.references import Standardizer
from molinv.datasets.targets import Target
from molinv.models.known import Known
from molinv.prediction.batches import pad
from molinv.prediction.predictor import Predictor, usual_descriptors
from molinv.tasks.energy_forces import check_gradient, potential
from molinv.training import extra_inputs
from molinv.training.build import make_network
from molinv.training.fine_tuning import like_initial, start_from
from molinv.training.molecule_data import MoleculeData
from molinv.training.run import train
from molinv.training.source import prepare

pytest.importorskip("tblite")

XTB = Descriptors(xtb=True)
BUILT: dict[str, Any] = {
    "model": "point",
    "model_args": {"width": 32, "layers": 1},
    "distribution": "Identity",
    "distribution_args": {},
    "features": ("xtb",),
}
WATER = (np.array([8, 1, 1]), np.array([[0, 0, 0.12], [0, 0.76, -0.47], [0, -0.76, -0.47]]))


@pytest.fixture(scope="module")
def sample():
    return datasets.load(SAMPLE)


@pytest.fixture
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("MOLINV_CACHE", str(tmp_path / "cache"))


def structures(*given):
    found = list(read(given, descriptors=XTB))
    assert all(isinstance(s, Structure) for s in found)
    return found


def test_no_rotation_or_shift_changes_the_numbers(sample):
    for row in (3, 200, 700):
        z, pos = sample.molecule(row)[:2]
        z, pos = np.array(z), np.array(pos, float)
        g = groups.SO3().haar(1, torch.Generator().manual_seed(row))[0].double().numpy()
        for before, after in zip(
            xtb.electronic(z, pos), xtb.electronic(z, pos @ g.T + 2.0), strict=True
        ):
            np.testing.assert_allclose(before, after, rtol=1e-3, atol=1e-3)


def test_xtb_results_of_water_are_plausible():
    said = xtb.electronic(*WATER)
    at = xtb.ATOMS.index
    assert said.atoms[:, at("q_A")].sum() == pytest.approx(0, abs=1e-5)
    assert said.atoms[0, at("q_A")] < -0.4
    assert said.pairs[0, 1, 0] == pytest.approx(0.92, abs=0.1)
    assert said.pairs[1, 2, 0] < 0.1
    assert np.array_equal(said.pairs[..., 0], said.pairs[..., 0].T)
    homo, lumo, atomisation, dipole = said.molecule[[1, 2, 4, 5]]
    assert homo < lumo
    assert -20 < atomisation < -9  # eV; the experiment is 9.5, xTB's atoms lack spin energies
    assert dipole == pytest.approx(2.1, abs=0.3)
    cation = xtb.electronic(np.array([7, 1, 1, 1, 1]), _tetrahedron(), charge=1)
    assert cation.atoms[:, at("q_A")].sum() == pytest.approx(1, abs=1e-5)


def _tetrahedron():
    corners = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) * 0.59
    return np.concatenate([np.zeros((1, 3)), corners])


def test_threads_stay_as_they_are():
    before = torch.get_num_threads()
    xtb.electronic(*WATER)
    assert torch.get_num_threads() == before


WRONG = {
    "an element that it lacks": ((np.array([92, 1]),), "no parameters for element 92"),
    "an odd number of electrons": ((np.array([8, 1]),), "cannot have 0 unpaired"),
    "f electrons in the core": ((np.array([64, 8]),), r"65 electrons \(f .* cannot have 0"),
    "no convergence": ((np.array([8, 1]), 0, 1), "not converged"),  # far apart
}


@pytest.mark.parametrize("what", WRONG)
def test_failed_calculations_are_refused_in_a_sentence(what):
    (z, *state), words = WRONG[what]
    with pytest.raises(InputError, match=words):
        xtb.electronic(z, 0.55 * np.arange(6.0).reshape(2, 3), *state)


def test_every_element_has_a_free_atom():
    energies = [xtb._of_atom(z) for z in range(1, xtb.HEAVIEST + 1)]
    assert np.isfinite(energies).all()
    oxide = xtb.electronic(np.array([64, 8]), np.array([[0, 0, 0], [0, 0, 1.8]]), 0, 1)
    assert -20 < oxide.molecule[4] < -2  # eV, the atomisation energy


def test_without_tblite_the_error_names_the_package(monkeypatch):
    monkeypatch.setattr(xtb.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'molinv\[xtb\]'"):
        xtb.electronic(*WATER)


def test_reading_computes_it_for_every_conformer_and_lists_failures():
    first, uranium = read(["OCCCCO", "[U]"], conformers=2, descriptors=XTB)
    assert isinstance(first, Structure)
    assert first.electronic is not None
    assert len(first.electronic) == first.conformers == 2
    assert not np.allclose(first.electronic[0].molecule, first.electronic[1].molecule, atol=1e-4)
    assert isinstance(uranium, Rejected)
    assert "element 92" in uranium.reason
    (radical,) = structures("[CH3]")
    assert radical.state == (0, 1)


def test_molecules_that_a_model_refuses_are_not_computed(monkeypatch):
    """xTB takes seconds for large molecules."""
    asked = []
    monkeypatch.setattr(descriptors, "electronic", lambda z, *_: asked.append(z.tolist()))
    wanted = Predictor("qm9-xtb").descriptors
    assert wanted.xtb_elements == usual_descriptors().xtb_elements
    for z in ([8, 1, 1], [14, 1, 1]):
        descriptors.computed(Structure("a", np.array(z), WATER[1], "argument", GIVEN), wanted)
    assert asked == [[8, 1, 1]]


def test_the_cache_stores_results_and_reasons(sample, own_cache, monkeypatch):
    some = sample.take(np.arange(40))
    states = np.zeros((40, 2), np.int8)
    states[7] = 0, 1  # one unpaired electron does not fit an even number of electrons
    chosen = np.array([9, 3, 7, 30])
    found, wrong = electronics(some, chosen, states)
    assert set(wrong) == {7}
    assert "cannot have 1 unpaired" in wrong[7]
    monkeypatch.setattr(xtb, "electronic", None)
    again, reasons = electronics(some, chosen, states)
    assert reasons == wrong
    assert np.array_equal(again.atoms, found.atoms)
    assert (found.atom_start[[0, 7]] == -1).all()
    assert np.isnan(found.molecule[7]).all()


def test_a_few_molecules_are_read_from_the_cache_of_the_whole_set(sample, own_cache, monkeypatch):
    some, states = sample.take(np.arange(30)), np.zeros((30, 2), np.int8)
    most, _ = electronics(some, np.arange(3, 25), states)
    monkeypatch.setattr(xtb, "electronic", None)
    few, _ = electronics(some, np.array([29, 1]), states)
    assert np.array_equal(few.molecule[5], most.molecule[5])
    monkeypatch.undo()
    assert not np.isnan(few.molecule[[1, 29]]).any()


def test_another_state_or_position_is_computed_again(sample, own_cache):
    some = sample.take(np.arange(3))
    rows, neutral = np.arange(3), np.zeros((3, 2), np.int8)
    before, _ = electronics(some, rows, neutral)
    after, _ = electronics(some, rows, neutral + np.array([[2, 0]], np.int8))
    assert (after.molecule[:, 1] < before.molecule[:, 1] - 3).all()  # HOMO of a dication, eV


def test_several_processes_compute_the_same(sample, own_cache, monkeypatch, tmp_path):
    monkeypatch.setattr(cached, "FEW", 4)
    some, states = sample.take(np.arange(6)), np.zeros((6, 2), np.int8)
    two, _ = electronics(some, np.arange(6), states, workers=2)
    monkeypatch.setenv("MOLINV_CACHE", str(tmp_path / "other"))
    one, _ = electronics(some, np.arange(6), states)
    np.testing.assert_allclose(one.atoms, two.atoms, rtol=1e-4, atol=1e-4)


def test_batches_have_every_atoms_and_pairs_own_numbers(sample, own_cache):
    config = small("unused", features="xtb", train_size=20)
    molecules = prepare(config).molecules
    store = OnDevice(molecules, molecules.values(["homo"]), "cpu", features=("xtb",))
    rows = prepare(config).parts.train[:3]
    batch = store.gather(rows)
    for k, row in enumerate(rows.tolist()):
        z, pos = molecules.molecule(row)[:2]
        said, n = xtb.electronic(np.array(z), np.array(pos, float)), len(z)
        for got, expected in (
            (batch.features.atoms[k, :n], said.atoms),
            (batch.features.pairs[k, :n, :n], said.pairs),
            (batch.features.molecule[k], said.molecule),
        ):
            np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-3)
        assert not batch.features.atoms[k, n:].any()
        assert not batch.features.pairs[k, n:].any()


@pytest.mark.parametrize("name", ["point", "painn", "equivariant", "graph"])
def test_outputs_depend_on_every_kind_of_xtb_feature(name):
    torch.manual_seed(0)
    model = models.make(name, 2, {})
    model.set_features(sizes(("xtb",)), 2)
    for weight in model.known.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    batch = pad(structures("CCO", "O"), features=("xtb",))
    whole = model(*model.inputs(batch))
    for part in ("atoms", "pairs", "molecule"):
        other = pad(structures("CCO", "O"), features=("xtb",))
        changed = getattr(other.features, part).clone()
        changed[0] += 1.0
        other.features = other.features._replace(**{part: changed})
        moved = model(*model.inputs(other)) - whole
        assert moved[0].abs().min() > 1e-6
        assert moved[1].abs().max() < 1e-5


@pytest.mark.parametrize("readout", ["sum", "mean"])
def test_outputs_begin_as_the_least_squares_fit(own_cache, readout, tmp_path):
    config = small(tmp_path, features="xtb", targets="homo,U0", readout=readout)
    data = MoleculeData(prepare(config), config)
    network = data.network()
    torch.nn.init.zeros_(network.model.read[-1].weight)
    torch.nn.init.zeros_(network.model.read[-1].bias)
    store, _ = data.stores("cpu")
    batch = store.gather(data.train)
    values = data.task.values(network.model(*network.model.inputs(batch)).detach())
    truth = data.task.known(batch)
    away = (values - truth).numpy()
    x = data.molecules.extras.electronic.molecule[data.train].astype(float)
    x = np.concatenate([x, np.ones((len(x), 1))], 1)
    fit = np.linalg.lstsq(x, truth.numpy(), rcond=None)[0]
    np.testing.assert_allclose(away, x @ fit - truth.numpy(), atol=0.5)  # meV, of 1e3
    np.testing.assert_allclose(away.std(0), data.task.standardizer.scale, rtol=1e-3)


def test_a_run_predicts_files_as_it_was_validated(own_cache, tmp_path):
    run = train(small(tmp_path / "run", features="xtb", targets="homo,lumo", model="painn"))
    with (run / "metrics.csv").open() as file:
        last = list(csv.DictReader(file))[-1]
    assert float(last["homo_stored"]) == pytest.approx(float(last["homo_rotated"]), rel=1e-3)
    predictor = Predictor(str(run))
    (ok, bad) = predictor.predict(["CCO", "[U]"])
    assert ok["homo"] < 0
    assert "was not trained on U" in bad.reason
    more = train(small(tmp_path / "more", init=str(run), model_args={}, targets="homo,lumo"))
    assert Predictor(str(more)).descriptors.xtb


def test_a_fine_tuned_model_with_xtb_starts_with_the_same_outputs(own_cache, tmp_path):
    first = train(small(tmp_path / "first", epochs=1, targets="homo,U0"))
    wanted = small(tmp_path / "more", init=str(first), features="xtb", targets="homo,U0")
    config, initial = like_initial(wanted)
    assert initial is not None
    data = MoleculeData(prepare(config), config)
    network = data.network()
    assert start_from(network, initial, data.task) == []
    store, _ = data.stores("cpu")
    batch = store.gather(data.valid)
    with torch.no_grad():
        before = initial.network.model(*initial.network.model.inputs(batch))
        now = network.model(*network.model.inputs(batch))
    torch.testing.assert_close(now, before, atol=1e-4, rtol=1e-4)


def test_a_fine_tuned_model_keeps_the_features_of_the_first(own_cache, tmp_path):
    first = train(small(tmp_path / "first", epochs=1, features="xtb", targets="homo"))
    wanted = small(tmp_path / "more", init=str(first), features="xtb,bonds", model_args={})
    with pytest.raises(InputError, match="takes the features xtb alone: leave out bonds"):
        like_initial(wanted)


def test_only_the_tested_molecules_are_computed_where_others_are_not_needed(own_cache, tmp_path):
    config = small(tmp_path, features="xtb")
    every = prepare(config)
    few = prepare(config, tested=3)
    assert few.parts.hash == every.parts.hash
    found, whole = (x.molecules.extras.electronic for x in (few, every))
    assert found is not None
    assert whole is not None
    assert (found.atom_start >= 0).sum() == 3
    np.testing.assert_allclose(
        found.molecule[few.parts.test[:3]], whole.molecule[few.parts.test[:3]]
    )


def test_forces_of_a_network_that_sees_fixed_results_are_refused():
    with pytest.raises(InputError, match="its forces would not be those of its energy"):
        check_gradient("point", features=("xtb",))
    network = models.find("point")(1, width=32, layers=1)
    network.set_features(sizes(("xtb",)))
    whole: Any = SimpleNamespace(model=network, copies=1)
    with pytest.raises(InputError, match="its forces would not be those of its energy"):
        potential(whole, Standardizer([Target("energy", "eV")]), pad(structures("O")))


def test_forces_are_refused_before_xtb_is_run(tmp_path, monkeypatch):
    monkeypatch.setattr(extra_inputs, "electronics", None)
    frames = []
    for k in range(30):
        water = Atoms("OHH", WATER[1] + 0.01 * k * np.eye(3))
        water.calc = SinglePointCalculator(water, energy=-1.0 - k, forces=np.zeros((3, 3)))
        frames.append(water)
    write(tmp_path / "water.extxyz", frames)
    files = {"data": str(tmp_path / "water.extxyz"), "targets": "energy,forces"}
    config = small(tmp_path / "run", **files, features="xtb", train_size=None, valid_size=None)
    with pytest.raises(InputError, match="its forces would not be those of its energy"):
        prepare(config)


@pytest.mark.parametrize("group", ["Compose(SO3, Scaling(3))", "LearnedBasis(9,3)"])
def test_groups_that_change_distances_are_refused(group):
    with pytest.raises(InputError, match="rigid motions and reflections alone"):
        make_network(1, **BUILT | {"group": group})


@pytest.mark.parametrize("group", ["SO3", "O3", "SE3", "E3", "About(0,0,1)", "PointGroup(T)"])
def test_rigid_groups_are_taken(group):
    make_network(1, **BUILT | {"group": group})


def test_an_exact_fit_to_few_molecules_keeps_a_scale():
    fitted = Known(sizes(("xtb",)), 8, 8, 1)
    draws = np.random.default_rng(0)
    values, y = draws.standard_normal((5, 6)), draws.standard_normal((5, 1))
    fitted.fit(values)
    assert fitted.fit_said(values, y) == pytest.approx([0.01 * y.std()])


def test_several_geometries_are_refused(tmp_path):
    config = small(tmp_path, features="xtb", geometries="embedded=0.5,given=0.5")
    with pytest.raises(InputError, match="data's own geometries"):
        prepare(config)
