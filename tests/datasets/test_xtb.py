"""A set labelled by GFN2-xTB: physical checks, and equal results of all ways to make it."""

from pathlib import Path

import numpy as np
import pytest

from molinv import InputError, datasets
from molinv.cli import main
from molinv.datasets.molecules import Target
from molinv.datasets.own import read_own
from molinv.datasets.xtb import FILE, Settings, displaced, label, singlepoint

pytest.importorskip("tblite")

SAMPLE = Path(__file__).parents[2] / "data" / "qm9_sample"
SETTINGS = Settings(molecules=20, copies=2, sigma=0.05, seed=3)


@pytest.fixture(scope="module")
def molecules():
    small = datasets.load(SAMPLE)
    return small.take(np.argsort(small.sizes, kind="stable")[:40])


@pytest.fixture(scope="module")
def path(molecules, tmp_path_factory):
    path, count, failed = label(molecules, SETTINGS, tmp_path_factory.mktemp("xtb"))
    assert (count, failed) == (40, 0)
    return path


def test_forces_are_the_gradient_of_the_energy_and_dipoles_rotate(molecules):
    z, pos = molecules.molecule(20)
    pos = displaced(pos.astype(float), SETTINGS, 20, 1)
    energy, forces, dipole = singlepoint(z, pos)
    step = 1e-3
    for atom, axis in ((0, 0), (1, 2)):
        ends = []
        for sign in (1, -1):
            moved = pos.copy()
            moved[atom, axis] += sign * step
            ends.append(singlepoint(z, moved)[0])
        assert forces[atom, axis] == pytest.approx(-(ends[0] - ends[1]) / (2 * step), abs=1e-3)
    assert np.abs(forces.sum(0)).max() < 1e-5
    g = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    g[:, 0] *= np.linalg.det(g)
    there = singlepoint(z, pos @ g.T)
    assert there[0] == pytest.approx(energy, abs=1e-5)
    assert np.allclose(there[1], forces @ g.T, atol=1e-3)
    assert np.allclose(there[2], g @ dipole, atol=1e-3)


def test_the_file_is_read_as_energies_forces_and_dipoles(path):
    own = read_own(path, [Target(n, "") for n in ("energy", "forces", "dipole")])
    kinds = [(t.kind, t.unit) for t in own.molecules.describe(["energy", "forces", "dipole"])]
    assert kinds == [
        ("scalar", "eV"),
        ("atom vector", "eV/angstrom"),
        ("vector", "e angstrom"),
    ]
    z, pos = own.molecules.molecule(5)
    energy, forces, dipole = singlepoint(z, pos.astype(float))
    assert own.molecules.select(["energy"])[5, 0] == pytest.approx(energy, abs=1e-4)
    at = slice(own.molecules.ptr[5], own.molecules.ptr[6])
    assert np.allclose(own.molecules.values(["forces"])[at, 0], forces, atol=2e-3)
    assert np.allclose(own.molecules.values(["dipole"])[5, 0], dipole, atol=1e-3)


def test_all_geometries_of_a_molecule_are_in_one_part(path):
    own = read_own(path, [Target("energy", "")])
    of = {row["molecule"]: set() for row in own.labels}
    for row in own.labels:
        of[row["molecule"]].add(row["split"])
    assert len(of) == 20
    assert all(len(parts) == 1 for parts in of.values())
    counts = [sum("train" in p for p in of.values()), sum("test" in p for p in of.values())]
    assert counts == [16, 2]


def test_the_first_geometry_is_the_stored_one_and_the_others_are_near(molecules):
    pos = molecules.molecule(3)[1].astype(float)
    assert np.allclose(displaced(pos, SETTINGS, 3, 0), pos, atol=1e-8)
    away = displaced(pos, SETTINGS, 3, 1) - pos
    assert 0.005 < away.std() < 0.08
    assert not np.allclose(away, displaced(pos, SETTINGS, 4, 1) - pos)
    assert np.array_equal(away, displaced(pos, SETTINGS, 3, 1) - pos)


def test_an_interrupted_set_is_resumed_and_is_the_same(path, molecules, tmp_path):
    shards = sorted((path.parent / "shards").iterdir())
    before, times = path.read_bytes(), [s.stat().st_mtime_ns for s in shards]
    path.unlink()
    shards[1].unlink()
    again, count, _ = label(molecules, SETTINGS, path.parent)
    assert (again, count) == (path, 40)
    assert shards[0].stat().st_mtime_ns == times[0]
    assert len(before) == len(path.read_bytes())
    assert before.split(b"\n")[:60] == path.read_bytes().split(b"\n")[:60]


@pytest.mark.slow
def test_processes_make_the_same_as_one(path, tmp_path, molecules):
    there, count, _ = label(molecules, SETTINGS, tmp_path, workers=2)
    names = [Target(n, "") for n in ("energy", "forces")]
    here, other = (read_own(p, names).molecules for p in (path, there))
    assert count == 40
    assert np.array_equal(here.pos, other.pos)
    assert np.allclose(here.select(["energy"]), other.select(["energy"]), atol=1e-5)


def test_bad_settings_are_refused_in_a_sentence(path, molecules, capsys):
    with pytest.raises(InputError, match="other settings"):
        label(molecules, Settings(molecules=20, copies=3, seed=3), path.parent)
    with pytest.raises(InputError, match="at most 40 molecules"):
        label(molecules, Settings(molecules=50), path.parent)
    for wrong in ({"molecules": 0}, {"copies": 0}, {"sigma": -1.0}, {"seed": -1}):
        with pytest.raises(InputError, match="expected at least one molecule"):
            Settings(**wrong)
    arguments = ["data", "xtb", "--of", str(SAMPLE), "--out", str(path.parent)]
    assert main([*arguments, "--molecules", "5", "--workers", "0"]) == 2
    assert "other settings" in capsys.readouterr().err


def test_the_command_names_its_files(tmp_path, capsys):
    arguments = ["--molecules", "2", "--copies", "1", "--workers", "0", "--out", str(tmp_path)]
    assert main(["data", "xtb", "--of", str(SAMPLE), *arguments]) == 0
    assert f"wrote 2 geometries of 2 molecules to {tmp_path / FILE}" in capsys.readouterr().out
