"""Molecules in an electric field: the symmetry that the docstring derives, seen on labels."""

import json
import shutil
from dataclasses import replace
from math import pi
from pathlib import Path

import numpy as np
import pytest
import torch

from molinv import InputError, datasets
from molinv.chem import xtb as chem_xtb
from molinv.cli import main
from molinv.datasets import electric_field
from molinv.datasets.electric_field import FILE, Settings, label, placed, stark, truth
from molinv.datasets.molecules import Target
from molinv.datasets.own import read_own
from molinv.datasets.placement import poses
from molinv.groups import SO3, About

pytest.importorskip("tblite")

SAMPLE = Path(__file__).parents[2] / "data" / "qm9_sample"
SETTINGS = Settings(molecules=12, strength=0.015, seed=3)
STRENGTH = 0.01


@pytest.fixture(scope="module")
def molecules():
    small = datasets.load(SAMPLE)
    return small.take(np.argsort(small.sizes, kind="stable")[:24])


@pytest.fixture(scope="module")
def path(molecules, tmp_path_factory):
    path, count, failed = label(molecules, SETTINGS, tmp_path_factory.mktemp("field"))
    assert (count, failed) == (12, 0)
    return path


@pytest.fixture(scope="module")
def polar(molecules):
    """The molecule with the largest dipole, in no special orientation."""
    z, pos = molecules.molecule(int(np.argmax(molecules.select(["mu"])[:, 0])))
    return np.array(z), placed(pos, poses(1, 5)[0][0].numpy())


def shift(molecule, n, turn=None, move=0.0):
    z, pos = molecule
    return stark(z, (pos if turn is None else pos @ turn.T) + move, STRENGTH * np.asarray(n))[0]


def about(axis, angle):
    return About(*axis).double().exp(torch.tensor([[angle]], dtype=torch.float64))[0].numpy()


def test_turns_about_the_fields_axis_leave_the_shift_and_others_do_not(polar):
    n = Settings(seed=1).direction()
    assert np.abs(n).max() < 0.81
    stored = shift(polar, n)
    for angle in (0.3, 1.7, pi):
        assert shift(polar, n, about(n, angle)) == pytest.approx(stored, abs=0.01)
    other = np.linalg.svd(n[None])[2][1]  # at right angles to n
    for axis in (other, np.cross(n, other), [0, 0, 1]):
        assert abs(shift(polar, n, about(axis, 1.0)) - stored) > 5
    # turning the molecule is turning the field back
    g = poses(1, 2)[0][0].numpy()
    assert shift(polar, n, g) == pytest.approx(shift(polar, g.T @ n), abs=0.01)


def test_mirrors_through_the_axis_and_translations_are_symmetries_and_reversal_is_not(polar):
    n = Settings(seed=1).direction()
    stored, other = shift(polar, n), np.linalg.svd(n[None])[2][1]

    def mirror(v):
        return np.eye(3) - 2 * np.outer(v, v)

    assert shift(polar, n, mirror(other)) == pytest.approx(stored, abs=0.01)
    assert shift(polar, n, move=2.0) == pytest.approx(stored, abs=0.01)
    for reversing in (-np.eye(3), mirror(n), about(other, pi)):
        changed = shift(polar, n, reversing)
        assert abs(changed - stored) > 5
        assert changed == pytest.approx(shift(polar, -n), abs=0.01)  # even orders stay


def test_the_shift_begins_as_minus_the_dipole_along_the_field(polar):
    n = Settings(seed=1).direction()
    z, pos = polar
    weak = 1e-3
    _, _, _, dipole = stark(z, pos, np.zeros(3))
    slope = (stark(z, pos, weak * n)[0] - stark(z, pos, -weak * n)[0]) / 2
    expected = -weak * float(dipole @ n) / chem_xtb.BOHR * chem_xtb.HARTREE * 1000
    assert slope == pytest.approx(expected, rel=0.01)


def test_forces_in_the_field_are_the_energys_slope(polar):
    z, pos = polar
    field, step = STRENGTH * Settings(seed=1).direction(), 1e-3
    forces = stark(z, pos, field)[2]
    ends = []
    for sign in (1, -1):
        moved = pos.copy()
        moved[0, 1] += sign * step
        ends.append(stark(z, moved, field)[1])
    assert forces[0, 1] == pytest.approx(-(ends[0] - ends[1]) / (2 * step), abs=2e-3)
    assert np.abs(forces.sum(0)).max() < 1e-4  # a neutral molecule is not accelerated


def test_the_files_have_the_same_labels_and_only_the_settings_the_axis(path):
    names = ("shift", "energy", "dipole", "forces")
    own = read_own(path, [Target(n, "") for n in names]).molecules
    kinds = [t.kind for t in own.describe(names)]
    assert kinds == ["scalar", "scalar", "vector", "atom vector"]
    fast = datasets.load(path.parent / "molecules")
    assert fast.targets[0].unit == "meV"
    assert np.allclose(fast.pos, own.pos, atol=1e-6)
    assert np.allclose(fast.select(["shift"]), own.select(["shift"]), atol=1e-3)
    n = SETTINGS.direction()
    z, pos = own.molecule(4)
    found = stark(np.array(z), pos.astype(float), SETTINGS.strength * n)
    assert own.select(["shift"])[4, 0] == pytest.approx(found[0], abs=0.05)
    assert truth(path.parent) == (tuple(n.tolist()), SETTINGS.strength)
    assert "axis" not in path.read_text() + (path.parent / "molecules/meta.json").read_text()


def test_orientations_are_haar_random_and_seeded(molecules, path):
    fast = datasets.load(path.parent / "molecules")
    names = list(molecules.ids)
    turns = poses(12, SETTINGS.seed)[0].numpy()
    for i in (0, 7):
        pos = molecules.molecule(names.index(fast.ids[i]))[1]
        assert np.allclose(fast.molecule(i)[1], placed(pos, turns[i]), atol=1e-6)
    angles = SO3().log(torch.from_numpy(turns)).norm(dim=1)
    assert float(angles.mean()) == pytest.approx(2.2, abs=0.6)  # Haar's: pi / 2 + 2 / pi


def test_several_geometries_of_a_molecule_are_displaced_and_turned_each(molecules, tmp_path):
    settings = Settings(molecules=3, geometries=6, sigma=0.05, seed=3)
    assert label(molecules, settings, tmp_path)[1:] == (18, 0)
    fast, names = datasets.load(tmp_path / "molecules"), list(molecules.ids)
    assert [name.rsplit("-", 1)[1] for name in fast.ids] == list("012345") * 3
    assert len({name.rsplit("-", 1)[0] for name in fast.ids}) == 3
    turns, moved = poses(18, 3)[0].numpy(), []
    for i, name in enumerate(fast.ids):
        pos = molecules.molecule(names.index(name.rsplit("-", 1)[0]))[1].astype(float)
        moved.append(np.asarray(fast.molecule(i)[1]) @ turns[i] - (pos - pos.mean(0)))
    found = np.concatenate(moved)
    assert found.std() == pytest.approx(0.05, rel=0.2)
    assert np.abs(moved[0] - moved[1]).max() > 0.01
    for bad in ({"geometries": 0}, {"sigma": 0.0}, {"sigma": 1.0}):
        with pytest.raises(InputError, match="expected at least one geometry"):
            Settings(**bad)


def test_an_interrupted_run_is_resumed(path, molecules):
    before, (one, *_) = path.read_bytes(), sorted((path.parent / "shards").glob("*.extxyz"))
    stamp = one.stat().st_mtime_ns
    path.unlink()
    assert label(molecules, SETTINGS, path.parent) == (path, 12, 0)
    assert (path.read_bytes(), one.stat().st_mtime_ns) == (before, stamp)
    one.unlink()
    assert label(molecules, SETTINGS, path.parent)[1] == 12
    with pytest.raises(InputError, match="other settings"):
        label(molecules, Settings(molecules=12, strength=0.02, seed=3), path.parent)
    others = replace(molecules, pos=molecules.pos + 1)
    with pytest.raises(InputError, match="other settings"):
        label(others, SETTINGS, path.parent)


def test_files_of_unknown_origin_are_not_taken_for_a_sets_own(path, molecules, tmp_path):
    for name in ("shards", "molecules"):
        folder = tmp_path / name
        shutil.copytree(path.parent / name, folder / name)
        with pytest.raises(InputError, match=f"holds {name} of unknown origin"):
            label(molecules, SETTINGS, folder)
        assert [each.name for each in folder.iterdir()] == [name]


def test_molecules_that_do_not_converge_are_listed_and_left_out(molecules, tmp_path, monkeypatch):
    first, calls = electric_field.singlepoint, []

    def sometimes(*args):
        calls.append(args)
        if len(calls) == 3:
            raise RuntimeError("SCF not converged\n in 250 cycles")
        return first(*args)

    monkeypatch.setattr(electric_field, "singlepoint", sometimes)
    settings = Settings(molecules=4, seed=3)
    assert label(molecules, settings, tmp_path)[1:] == (3, 1)
    listed = (tmp_path / "left_out.csv").read_text().splitlines()
    assert listed[0] == "molecule,reason"
    assert listed[1].endswith(",SCF not converged in 250 cycles")
    assert len(datasets.load(tmp_path / "molecules")) == 3

    def never(*_):
        raise RuntimeError("SCF not converged")

    monkeypatch.setattr(electric_field, "singlepoint", never)
    with pytest.raises(InputError, match=r"no molecule could be labelled: see .*left_out\.csv"):
        label(molecules, settings, tmp_path / "never")


def test_bad_settings_are_refused_in_a_sentence(tmp_path, capsys):
    with pytest.raises(InputError, match="field of zero"):
        Settings(strength=0.0)
    for strength in (-0.01, 1.0, float("nan")):
        with pytest.raises(InputError, match="expected a strength"):
            Settings(strength=strength)
    for axis in ((0.0, 0.0, 0.0), (1.0, float("inf"), 0.0)):
        with pytest.raises(InputError, match="expected an axis"):
            Settings(axis=axis)
    for axis in ((1e200, 1e200, 0.0), (1e-320, 1e-320, 0.0)):
        way = Settings(axis=axis).direction()
        assert way == pytest.approx([0.5**0.5, 0.5**0.5, 0])
    with pytest.raises(InputError, match="at least one molecule"):
        Settings(molecules=0)
    with pytest.raises(InputError, match="not a set of molecules in a field"):
        truth(tmp_path)
    arguments = ["data", "field", "--of", str(SAMPLE), "--out", str(tmp_path / "f")]
    assert main([*arguments, "--strength", "0"]) == 2
    assert "field of zero" in capsys.readouterr().err
    assert main([*arguments, "--axis", "1,0"]) == 2
    assert "three numbers x,y,z" in capsys.readouterr().err
    assert not (tmp_path / "f").exists()


def test_the_command_names_its_files(tmp_path, capsys):
    arguments = ["--molecules", "2", "--axis", "0,0,2", "--workers", "0", "--out", str(tmp_path)]
    assert main(["data", "field", "--of", str(SAMPLE), *arguments]) == 0
    assert f"wrote 2 molecules in a field to {tmp_path / FILE}" in capsys.readouterr().out
    assert json.loads((tmp_path / "settings.json").read_text())["axis"] == [0, 0, 1]
