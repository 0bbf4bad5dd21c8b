"""Prediction on any device: which device is chosen, what is refused, and batch sizes."""

from contextlib import nullcontext

import numpy as np
import pytest
import torch
from ase.build import molecule
from tiny_model import ENERGY, tiny_model

from molinv import InputError
from molinv.chem import MolInvCalculator, Structure, read
from molinv.chem.structure import GIVEN
from molinv.cli import main
from molinv.predict import Predictor
from molinv.prediction import calculator
from molinv.prediction import orbit_values as module
from molinv.prediction.averaged import Averaged
from molinv.prediction.batches import CPU_PAIRS, PAIRS, budget, by_size, has_double, pad
from molinv.prediction.library import predict_library
from molinv.prediction.orbit_values import orbit_forces, orbit_values
from molinv.sharing import choose_device
from molinv.training.saved import load

GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"),
    [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_auto_chooses_the_fastest_available_device(monkeypatch, cuda, mps, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert choose_device().type == expected
    assert choose_device("cpu").type == "cpu"
    if cuda:
        assert choose_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(InputError, match=f"no device 'cuda:2' here: .* one of .*{expected}"):
        choose_device("cuda:2")


@pytest.mark.parametrize("name", ["gpu", "meta", "cuda:9"])
def test_an_unavailable_device_is_refused_everywhere(model, library, tmp_path, name, capsys):
    with pytest.raises(InputError, match="no device"):
        Predictor(model, device=name)
    with pytest.raises(InputError, match="no device"):
        MolInvCalculator(model, device=name)
    with pytest.raises(InputError, match="no device"):
        predict_library(library, tmp_path / "o.csv", model, progress=False, device=name)
    assert main(["predict", str(model), "CCO", "--device", name]) == 2
    assert f"no device '{name}' here" in capsys.readouterr().err


def test_double_is_refused_on_a_device_without_float64(model, monkeypatch):
    monkeypatch.setattr(calculator, "choose_device", lambda _: torch.device("mps"))
    with pytest.raises(InputError, match="device mps has no float64: leave out double"):
        MolInvCalculator(model, double=True)
    assert has_double(torch.device("cuda"))


def test_batches_are_as_large_as_their_device_allows():
    assert budget(torch.device("cpu")) == CPU_PAIRS
    assert budget(torch.device("cuda", 1)) == PAIRS
    sizes = [3] * 5000 + [18] * 500 + [400]
    given = [Structure("", np.ones(n, np.int64), np.zeros((n, 3)), "", GIVEN) for n in sizes]
    parts = by_size(given, pairs=CPU_PAIRS)
    assert sorted(np.concatenate(parts)) == list(range(len(sizes)))
    counts = [(len(part), max(sizes[i] for i in part)) for part in parts]
    assert all(c == 1 or c * n**2 <= CPU_PAIRS for c, n in counts)
    assert counts[0] == (CPU_PAIRS // 9, 3)
    assert counts[-1] == (1, 400)


@pytest.fixture
def elsewhere(model, monkeypatch):
    """The model on torch's meta device, which refuses operations with CPU tensors.

    Meta tensors have no values, so results that are moved to the CPU are zero.
    """
    saved = load(model)
    saved.network.to("meta")
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # meta has no autocast
    monkeypatch.setattr(torch.Tensor, "cpu", lambda x: torch.zeros(x.shape, dtype=x.dtype))
    return saved


def test_tensors_of_two_devices_are_never_mixed(elsewhere, monkeypatch):
    given = list(read(["CCO", "C"]))
    network, element = elsewhere.network, torch.empty(2, 3, 3, device="meta")
    with monkeypatch.context() as patch:  # meta supports neither generators nor eye
        patch.setattr(network, "_plan", lambda *_: (iter([(element, 1.0)]), 0))
        found = orbit_values(elsewhere, pad(given), copies=0)
    assert found.members is None  # a single model
    assert all(x is not None and x.device.type == "cpu" for x in found[:3])
    assert found.mean.dtype == torch.float64
    averaged = Averaged(elsewhere, "identity")
    assert averaged.device.type == averaged.elements.device.type == "meta"
    values, slopes = averaged.with_gradient(given[0])
    assert (len(values), slopes.shape) == (1, given[0].pos.shape)
    assert len(averaged.mean(given[0])) == 2


def test_forces_are_computed_on_the_cpu_if_a_device_lacks_float64(tmp_path, monkeypatch):
    saved, batch = load(tiny_model(tmp_path, (ENERGY,))), pad(list(read(["CCO", "C"])))
    here = orbit_forces(saved, batch, 2)
    monkeypatch.setattr(module, "has_double", lambda _: False)
    assert torch.equal(orbit_forces(saved, batch, 2), here)
    assert here.dtype == torch.float64


@pytest.mark.gpu
@GPU
def test_an_accelerator_and_the_cpu_give_the_same_values(tmp_path):
    folder = tiny_model(tmp_path, distribution="Identity", distribution_args={})
    given = list(read(["CCO", "C", "CC#N"]))
    here, there = (Predictor(folder, device=d).values(given).mean for d in ("cpu", "cuda"))
    assert there == pytest.approx(here, rel=1e-4)
    energies = []
    for device in ("cpu", "cuda"):
        atoms = molecule("CH3OH")
        atoms.calc = MolInvCalculator(folder, double=True, device=device)
        energies.append(atoms.get_potential_energy())
    assert energies[1] == pytest.approx(energies[0], rel=1e-9)
