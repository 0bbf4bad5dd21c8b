"""Numbers of atoms that are learned beside the targets; predictions do not need them."""

import csv

import numpy as np
import pytest
import torch
from small_run import SAMPLE, small

from molinv import models
from molinv.datasets import load
from molinv.datasets.batches import OnDevice
from molinv.datasets.moments import with_moments
from molinv.errors import InputError
from molinv.training.module import Joint
from molinv.training.molecule_data import MoleculeData
from molinv.training.run import train
from molinv.training.saved import load as load_run
from molinv.training.source import prepare

NAMES = ("point", "painn", "equivariant", "graph")


def some():
    molecules = with_moments(load(str(SAMPLE)), ["charges"])
    charges = molecules.values(["charges"])
    made = OnDevice(molecules, molecules.values(["homo", "lumo"]), "cpu", auxiliary=charges)
    return molecules, made.gather(torch.tensor([3, 40, 7]).numpy())


def rows(folder):
    with (folder / "metrics.csv").open() as file:
        return [{k: v for k, v in r.items() if "seconds" not in k} for r in csv.DictReader(file)]


@pytest.mark.parametrize("name", NAMES)
def test_auxiliary_outputs_leave_the_outputs_unchanged(name):
    _, batch = some()
    torch.manual_seed(0)
    model = models.make(name, 2, {})
    plain = model(*model.inputs(batch))
    model.set_auxiliary(3)
    outputs, beside = model.apart(model(*model.inputs(batch)), batch.z.shape[1])
    assert torch.equal(outputs, plain)
    assert beside.shape == (3, 3, batch.z.shape[1])
    assert torch.equal(model.eval()(*model.inputs(batch)), plain)
    beside[0, 1, 2].backward()
    assert model.element.weight.grad[batch.z[0, 2]].abs().sum() > 0


@pytest.mark.parametrize("name", NAMES)
def test_numbers_of_an_atom_stay_with_it_when_atoms_are_in_another_order(name):
    _, batch = some()
    torch.manual_seed(0)
    model = models.make(name, 1, {})
    model.set_auxiliary(1)
    smallest = int((batch.z > 0).sum(1).min())
    turned = batch.rows(slice(None))
    turned.pos, turned.z = batch.pos.clone(), batch.z.clone()
    turned.pos[:, :smallest] = batch.pos[:, :smallest].flip(1)
    turned.z[:, :smallest] = batch.z[:, :smallest].flip(1)
    n = batch.z.shape[1]
    (_, before), (_, after) = (model.apart(model(*model.inputs(b)), n) for b in (batch, turned))
    expected = torch.cat([before[..., :smallest].flip(2), before[..., smallest:]], 2)
    there = (batch.z > 0)[:, None]
    torch.testing.assert_close(after * there, expected * there, atol=1e-4, rtol=1e-4)


def test_batches_have_the_charges_of_their_atoms():
    molecules, batch = some()
    _, pos = molecules.molecule(40)[:2]
    start = int(molecules.ptr[40])
    assert batch.auxiliary is not None
    expected = torch.tensor(molecules.charges[start : start + len(pos)]).double()
    torch.testing.assert_close(batch.auxiliary[1, 0, : len(pos)], expected)
    assert batch.auxiliary[1, 0, len(pos) :].isnan().all()


def test_the_loss_adds_the_weighted_error_of_the_atoms(tmp_path):
    config = small(
        tmp_path, auxiliary="charges", auxiliary_weight=0.7, lam=0.0, distribution="Identity"
    )
    data = MoleculeData(prepare(config), config)
    network = data.network().train()
    module = Joint(network, data.task, data.config, data.examples, data.auxiliary is not None)
    store, _ = data.stores("cpu")
    batch = store.gather(data.train[:9])
    outputs = network.model(*network.model.inputs(batch))
    means = [term.mean for term in module._terms(outputs, batch)]
    own, beside = network.model.apart(outputs, batch.z.shape[1])
    truth = batch.auxiliary
    there = ~truth.isnan()
    away = (beside - truth)[there].abs().mean()
    mine = (own - data.task.truth(batch)).abs().mean()
    torch.testing.assert_close(module._total(means), (mine + 0.7 * away).float())


def test_a_weight_of_zero_changes_nothing_and_the_default_teaches_charges(tmp_path):
    plain = train(small(tmp_path / "plain"))
    none = train(small(tmp_path / "none", auxiliary="charges", auxiliary_weight=0.0))
    for before, after in zip(rows(plain), rows(none), strict=True):
        assert {k: float(v) for k, v in after.items() if v} == pytest.approx(
            {k: float(v) for k, v in before.items() if v}, rel=1e-3
        )
    saved = load_run(none)
    assert not [name for name in saved.network.state_dict() if "auxiliary" in name]
    assert saved.card["parameters"] == load_run(plain).card["parameters"]
    half = train(small(tmp_path / "half", auxiliary="charges"))
    assert rows(half) != rows(plain)
    state = torch.load(half / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    config = small(tmp_path / "half", auxiliary="charges")
    data = MoleculeData(prepare(config), config)
    network = data.network().train()
    store, _ = data.stores("cpu")
    batch = store.gather(data.valid)

    def error():
        outputs = network.model(*network.model.inputs(batch))
        _, beside = network.model.apart(outputs, batch.z.shape[1])
        there = ~batch.auxiliary.isnan()
        return float((beside.detach() - batch.auxiliary)[there].abs().mean())

    before = error()
    network.load_state_dict(
        {k.removeprefix("network."): v for k, v in state.items() if k.startswith("network.")}
    )
    assert error() < 0.95 * before


def test_auxiliary_numbers_are_standardised_by_element(tmp_path):
    config = small(tmp_path, auxiliary="charges")
    data = MoleculeData(prepare(config), config)
    molecules, made = data.molecules, data.auxiliary[:, 0]
    rows = np.concatenate([np.arange(*molecules.ptr[i : i + 2]) for i in data.train])
    for element in (1, 6, 8):
        own = rows[molecules.z[rows] == element]
        q = molecules.charges[own].astype(float)
        assert made[own].mean() == pytest.approx(0, abs=0.05)
        assert np.corrcoef(q, made[own])[0, 1] > 0.99
    assert made[rows].std() == pytest.approx(1, abs=0.1)


def test_xtb_results_of_atoms_can_be_auxiliary_numbers(tmp_path, monkeypatch):
    pytest.importorskip("tblite")
    monkeypatch.setenv("MOLINV_CACHE", str(tmp_path / "cache"))
    config = small(tmp_path / "a", auxiliary="xtb,charges", epochs=1, train_size=40)
    data = MoleculeData(prepare(config), config)
    assert data.auxiliary.shape[1] == 37  # charges, and xTB's without the empty d shells
    run = train(config)
    assert not load_run(run).card["build"].get("features")


def test_an_interrupted_run_ends_like_an_uninterrupted_run(tmp_path):
    whole = train(small(tmp_path / "whole", auxiliary="charges"))
    with pytest.raises(KeyboardInterrupt):
        train(small(tmp_path / "part", auxiliary="charges"), watch=_stop_at_second)
    part = train(small(tmp_path / "part", auxiliary="charges"))
    a, b = (load_run(run).network.state_dict() for run in (whole, part))
    assert all(torch.equal(a[name], b[name]) for name in a)


def _stop_at_second(epoch, error):
    if epoch == 2:
        raise KeyboardInterrupt


def test_fine_tuning_works_with_and_without_auxiliary_numbers(tmp_path):
    first = train(small(tmp_path / "a", auxiliary="charges", epochs=1))
    for changes in ({"auxiliary": "charges"}, {}):
        out = tmp_path / f"b{len(changes)}"
        train(small(out, epochs=1, init=str(first), model_args={}, **changes))


WRONG = {
    "a target of molecules": (dict(auxiliary="mu"), "numbers of every atom"),
    "an unknown name": (dict(auxiliary="chrges"), "unknown auxiliary .* did you mean 'charges'"),
    "a misspelt xtb": (dict(auxiliary="xbt"), "unknown auxiliary 'xbt': did you mean 'xtb'"),
    "a target": (dict(auxiliary="homo"), "is a target"),
    "the same twice": (dict(auxiliary="charges,charges"), "different names"),
    "vectors of molecules": (dict(auxiliary="dipole"), "numbers of every atom"),
    "beside what turns": (
        dict(auxiliary="charges", targets="dipole"),
        "numbers or classes of molecules",
    ),
    "a model without atoms": (dict(auxiliary="charges", model="schnet", model_args={}), "point"),
    "a negative weight": (dict(auxiliary="charges", auxiliary_weight=-1.0), "at least 0"),
    "other geometries": (
        dict(auxiliary="charges", geometries="embedded=0.5,given=0.5"),
        "leave both out",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_impossible_auxiliary_numbers_are_refused_in_a_sentence(tmp_path, what):
    changes, words = WRONG[what]
    with pytest.raises(InputError, match=words):
        train(small(tmp_path, **changes))
