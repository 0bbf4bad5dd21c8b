"""Molecules: arrays come back unchanged, and errors name the bad molecule."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from molinv.datasets import Molecules, Target, load
from molinv.errors import InputError

WATER = ([8, 1, 1], [[0.0, 0.0, 0.0], [0.96, 0.0, 0.0], [-0.24, 0.93, 0.0]])
HELIUM = ([2], [[1.0, 2.0, 3.0]])
ENERGY = Target("energy", "meV", "total energy", atomwise=True)


def two(**more) -> Molecules:
    return Molecules.from_arrays([WATER, HELIUM], y=[1.5, 2.5], targets=[ENERGY], **more)


def test_own_molecules_come_back_as_given():
    molecules = two(smiles=["O", "[He]"], ids=["wässer", "b"], charges=[[-0.8, 0.4, 0.4], [0.0]])
    assert len(molecules) == 2
    assert molecules.sizes.tolist() == [3, 1]
    for i, (z, pos) in enumerate([WATER, HELIUM]):
        got_z, got_pos = molecules.molecule(i)
        assert got_z.tolist() == z
        np.testing.assert_array_equal(got_pos, np.asarray(pos, np.float32))
    assert molecules.smiles[:] == ["O", "[He]"]
    assert molecules.ids[0] == "wässer"
    assert molecules.ids[-1] == "b"
    assert molecules.y.tolist() == [[1.5], [2.5]]
    assert molecules.charges is not None
    assert molecules.charges.tolist() == np.float32([-0.8, 0.4, 0.4, 0.0]).tolist()
    assert "2 molecules, 4 atoms" in repr(molecules)
    with pytest.raises(IndexError):
        molecules.molecule(2)


def test_without_targets_charges_or_names():
    molecules = Molecules.from_arrays([WATER])
    assert molecules.y.shape == (1, 0)
    assert molecules.charges is None
    assert (molecules.smiles[0], molecules.ids[0]) == ("", "0")


def test_take_reorders_every_array(sample):
    indices = np.array([700, 3, 3, 41])
    chosen = sample.take(indices)
    for i, j in enumerate(indices):
        for got, expected in zip(chosen.molecule(i), sample.molecule(j), strict=True):
            np.testing.assert_array_equal(got, expected)
        start, end = sample.ptr[j], sample.ptr[j + 1]
        np.testing.assert_array_equal(
            chosen.charges[chosen.ptr[i] : chosen.ptr[i + 1]], sample.charges[start:end]
        )
        assert (chosen.smiles[i], chosen.ids[i]) == (sample.smiles[j], sample.ids[j])
    np.testing.assert_array_equal(chosen.y, sample.y[indices])


def test_select_orders_columns_as_asked(sample):
    names = [t.name for t in sample.targets]
    got = sample.select(["U0", "mu"])
    np.testing.assert_array_equal(got[:, 0], sample.y[:, names.index("U0")])
    np.testing.assert_array_equal(got[:, 1], sample.y[:, names.index("mu")])
    with pytest.raises(InputError, match=r"unknown target 'hommo'.*'homo'"):
        sample.select(["hommo"])


def changed(atom: int, place: float) -> tuple:
    pos = np.array(WATER[1])
    pos[atom, 1] = place
    return WATER[0], pos


@pytest.mark.parametrize(
    ("structure", "message"),
    [
        (changed(1, np.nan), "coordinates"),
        (changed(2, np.inf), "coordinates"),
        (([0, 1], [[0, 0, 0], [1, 0, 0]]), "atomic number 0"),
        (([119], [[0, 0, 0]]), "atomic number 119"),
        (([264], [[0, 0, 0]]), "atomic number 0"),
        (([-1], [[0, 0, 0]]), "atomic number 0"),
        (([1, 8, 1], [[0, 0, 0], [1, 0, 0], [0, 0, 9e-4]]), "apart"),
        (([], np.zeros((0, 3))), "no atoms"),
    ],
)
def test_a_bad_molecule_is_named(structure, message):
    with pytest.raises(InputError, match=rf"molecule 2 \(id 'third'\).*{message}"):
        Molecules.from_arrays([WATER, HELIUM, structure, HELIUM], ids=["a", "b", "third", "d"])


def test_atoms_may_coincide_across_molecules_and_stand_just_apart():
    near = ([1, 1], [[1.0, 2.0, 3.0], [1.0, 2.0, 3.0 + 2e-3]])
    assert len(Molecules.from_arrays([HELIUM, HELIUM, near])) == 3


@pytest.mark.parametrize(
    "arguments",
    [
        {"y": [1.0, np.nan], "targets": [ENERGY]},
        {"y": [1.0], "targets": [ENERGY]},
        {"y": [1.0, 2.0]},
        {"smiles": ["O"]},
        {"ids": ["a", "b", "c"]},
        {"charges": [[0.0, 0.0, 0.0], [0.0, 0.0]]},
        {"charges": [[0.0, np.nan, 0.0], [0.0]]},
    ],
)
def test_unsuitable_arguments_are_refused(arguments):
    with pytest.raises(InputError):
        Molecules.from_arrays([WATER, HELIUM], **arguments)


def test_no_molecules_or_wrong_shapes_are_refused():
    with pytest.raises(InputError, match="at least one"):
        Molecules.from_arrays([])
    with pytest.raises(InputError, match="molecule 1: expected"):
        Molecules.from_arrays([WATER, ([1], [[0.0, 0.0]])])


def test_load_takes_a_folder_and_refuses_the_rest(sample_folder, tmp_path):
    assert len(load(sample_folder)) == len(load(str(sample_folder))) == 1000
    with pytest.raises(InputError, match=r"'qn9': did you mean 'qm9'"):
        load("qn9")
    with pytest.raises(InputError, match=r"Molecules\.save"):
        load("something")
    with pytest.raises(InputError, match=r"Molecules\.save"):
        load(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"meta\.json"):
        load(tmp_path)


def test_importing_loads_nothing_heavy():
    heavy = ["pyarrow", "rich", "rdkit", "lightning", "torch_geometric"]
    code = (
        "import sys, importlib\n"
        "for name in ['', '.qm9', '.batches', '.references', '.sample', '.split']:\n"
        "    importlib.import_module('molinv.datasets' + name)\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
