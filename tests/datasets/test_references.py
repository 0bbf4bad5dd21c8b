"""Atom references and standardised targets."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from molinv.datasets import Molecules, Target
from molinv.datasets.batches import Loader, OnDevice
from molinv.datasets.references import Standardizer, fit_references
from molinv.datasets.split import split
from molinv.errors import InputError

NAMES = ["homo", "U0", "Cv", "G"]
ELEMENTS = [1, 6, 7, 8, 9]


@pytest.fixture(scope="module")
def train(sample):
    return split(len(sample)).train


def test_a_sum_over_atoms_is_found_exactly(sample, train):
    truth = np.zeros(119)
    truth[ELEMENTS] = [-13.6, -1030.0, -1485.0, -2042.0, -2713.0]
    y = np.add.reduceat(truth[sample.z], sample.ptr[:-1])
    references = fit_references(sample.z, sample.ptr, y, train)
    assert references.dtype == torch.float64
    np.testing.assert_allclose(references.numpy(), truth, rtol=1e-9, atol=1e-9)


def test_only_the_chosen_molecules_count(sample, train):
    y = sample.select(["U0"])[:, 0].copy()
    before = fit_references(sample.z, sample.ptr, y, train)
    y[np.setdiff1d(np.arange(len(sample)), train)] = 1e9
    assert torch.equal(before, fit_references(sample.z, sample.ptr, y, train))
    y[train[0]] += 1e6
    assert not torch.allclose(before, fit_references(sample.z, sample.ptr, y, train), atol=1.0)


def test_undetermined_references_have_least_norm():
    water = ([8, 1, 1], [[0, 0, 0], [1, 0, 0], [0, 1, 0]])
    molecules = Molecules.from_arrays([water, water])
    references = fit_references(
        molecules.z, molecules.ptr, np.array([10.0, 10.0]), np.array([0, 1])
    )
    np.testing.assert_allclose(references[[1, 8]], [4.0, 2.0])  # 10 (2, 1) / 5
    assert references.sum() == pytest.approx(6.0)


def standardised(sample, standardizer, indices):
    store = OnDevice(sample, sample.select(NAMES), "cpu")
    batches = list(Loader(store, indices, 37, shuffle=True))
    return (
        torch.cat([standardizer(b.y, b.z) for b in batches]),
        torch.cat([b.index for b in batches]),
    )


def test_training_targets_get_mean_0_and_spread_1(sample, train):
    standardizer = Standardizer.fit(sample, NAMES, train)
    got, _ = standardised(sample, standardizer, train)
    assert got.dtype == torch.float32
    torch.testing.assert_close(got.mean(0), torch.zeros(4), atol=1e-5, rtol=0)
    torch.testing.assert_close(got.std(0, correction=0), torch.ones(4), atol=1e-5, rtol=0)


def test_inverse_gives_units_and_atomisation_energies(sample):
    parts = split(len(sample))
    standardizer = Standardizer.fit(sample, NAMES, parts.train)
    got, index = standardised(sample, standardizer, parts.test)
    back = standardizer.inverse(got).numpy()
    expected = sample.select(NAMES)[index.numpy()]
    for column in (1, 3):
        references = standardizer.references[:, column].numpy()
        sums = np.add.reduceat(references[sample.z], sample.ptr[:-1])
        expected[:, column] -= sums[index.numpy()]
    np.testing.assert_allclose(back, expected, atol=0.01)
    assert np.abs(back[:, 1]).max() < 1e4  # total energies are up to 2e7 meV
    assert not standardizer.references[:, [0, 2]].any()
    doubled = standardizer.inverse(got + 1).numpy() - back
    np.testing.assert_allclose(doubled, np.tile(standardizer.scale, (len(got), 1)), rtol=1e-3)
    assert standardizer.inverse(got.expand(3, -1, -1)).shape == (3, len(got), 4)


def test_state_survives_json_and_tensors(sample, train):
    before = Standardizer.fit(sample, NAMES, train)
    after = Standardizer.from_config(json.loads(json.dumps(before.config())))
    after.load_state_dict(before.state_dict())
    assert after.targets == before.targets == sample.describe(NAMES)
    assert {t.dtype for t in after.state_dict().values()} == {torch.float64}
    y = torch.tensor(sample.select(NAMES)[:2])
    z = torch.tensor([[6, 1, 0], [8, 7, 9]])
    assert torch.equal(before(y, z), after(y, z))


@pytest.mark.parametrize("atomwise", [False, True])
@pytest.mark.parametrize("value", [0.0, 0.1, -4e7])
def test_a_constant_target_is_refused(value, atomwise):
    structures = [([8, 1], [[0, 0, 0], [1, 0, i / 10]]) for i in range(7)]
    molecules = Molecules.from_arrays(
        structures, y=np.full(7, value), targets=[Target("flat", "meV", "", atomwise)]
    )
    with pytest.raises(InputError, match="'flat' is constant"):
        Standardizer.fit(molecules, ["flat"], np.arange(7))


def test_an_unknown_target_is_refused(sample, train):
    with pytest.raises(InputError, match="unknown target"):
        Standardizer.fit(sample, ["dipole"], train)
