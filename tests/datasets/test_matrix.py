"""Molecules in a rare-gas crystal: the point group that the docstring derives, seen on labels."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from molinv import InputError, datasets
from molinv.chem import xtb
from molinv.cli import main
from molinv.datasets import matrix
from molinv.datasets.matrix import FILE, Settings, cage, interaction, label, place, truth
from molinv.datasets.molecules import Target
from molinv.datasets.own import read_own
from molinv.groups import SO3, PointGroup

pytest.importorskip("tblite")

SMALL = Settings(count=6, seed=1)
CUBIC = replace(SMALL, strain=0.0)
UP = np.array([0.0, 0.0, 1.0])
THIRD = np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])  # of a turn about the cube's diagonal
EIGHTH = SO3().exp(torch.tensor([0.0, 0.0, np.pi / 4]).double()).numpy()


def placed(settings, number):
    return place(number, settings)[1:]


@pytest.mark.parametrize(("settings", "symbol", "order"), [(SMALL, "D4", 8), (CUBIC, "O", 24)])
def test_the_cages_group_is_all_rotations_that_keep_it(settings, symbol, order):
    group, (z, pos) = truth(settings), cage(settings)
    assert (group.symbol, len(group.elements()), list(z)) == (symbol, order, [18] * 12)
    assert np.linalg.norm(pos, axis=1).min() == pytest.approx(3.76)

    def kept(g):
        return np.linalg.norm(pos[:, None] @ g.T - pos, axis=-1).min(1).max() < 1e-6

    assert all(kept(g) for g in group.elements())
    assert sum(kept(g) for g in PointGroup("O").elements.double().numpy()) == order
    assert kept(-np.eye(3))
    assert not kept(EIGHTH)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_the_sites_group_leaves_the_energy_and_nothing_else_does(number):
    z, pos = placed(SMALL, number)
    energy = interaction(z, pos, SMALL)
    elements = truth(SMALL).elements()
    for g in (*elements[1:], -np.eye(3), np.diag([1.0, 1, -1])):
        assert interaction(z, pos @ g.T, SMALL) == pytest.approx(energy, abs=1e-3)
    tilt = SO3().exp(torch.tensor([0.5, 0.0, 0.0]).double()).numpy()
    for changed in (pos @ THIRD.T, pos @ EIGHTH.T, pos @ tilt.T, pos + 0.3 * UP):
        assert abs(interaction(z, changed, SMALL) - energy) > 0.5


def test_without_strain_the_cubes_turns_are_symmetries_as_well():
    z, pos = placed(CUBIC, 2)
    energy = interaction(z, pos, CUBIC)
    for g in (THIRD, THIRD.T, *truth(CUBIC).elements()[1:4]):
        assert interaction(z, pos @ g.T, CUBIC) == pytest.approx(energy, abs=1e-3)
    assert abs(interaction(z, pos @ EIGHTH.T, CUBIC) - energy) > 0.5


def test_turning_cage_and_molecule_together_and_molecules_far_away_change_nothing(monkeypatch):
    z, pos = placed(SMALL, 0)
    energy = interaction(z, pos, SMALL)
    assert abs(interaction(z, pos + 60 * UP, SMALL)) < 0.1
    atoms, around = cage(SMALL)
    monkeypatch.setattr(matrix, "cage", lambda settings: (atoms, around @ EIGHTH.T))
    assert interaction(z, pos @ EIGHTH.T, SMALL) == pytest.approx(energy, abs=1e-3)


def test_orientations_and_places_are_random_and_within_reach():
    settings = Settings(sigma=0.0, molecules=("C2H2",))
    axes, centres = [], []
    for number in range(300):
        _, pos = placed(settings, number)
        axes.append((pos[0] - pos[1]) / np.linalg.norm(pos[0] - pos[1]))
        centres.append(pos.mean(0))
        assert np.linalg.norm(pos[:, None] - cage(settings)[1], axis=-1).min() >= matrix.CLOSEST
    assert (
        np.abs(
            np.mean(np.array(axes)[:, :, None] * np.array(axes)[:, None], 0) * 3 - np.eye(3)
        ).max()
        < 0.25
    )
    far = np.linalg.norm(centres, axis=1)
    assert far.max() <= 0.3
    assert far.mean() == pytest.approx(0.3 * 3 / 4, abs=0.02)  # of a uniform ball


def test_files_are_read_alike_and_an_interrupted_run_is_resumed(tmp_path):
    path, count, failed = label(SMALL, tmp_path)
    assert (path, count, failed) == (tmp_path / FILE, 6, 0)
    own = read_own(path, [Target("interaction", "")]).molecules
    fast = datasets.load(tmp_path / "molecules")
    assert fast.targets[0].unit == "meV"
    assert list(fast.ids) == ["CO2-0", "C2H2-1", "H2CO-2", "CO2-3", "C2H2-4", "H2CO-5"]
    assert np.allclose(fast.pos, own.pos, atol=1e-6)
    assert np.allclose(fast.select(["interaction"]), own.select(["interaction"]), atol=1e-4)
    z, pos = placed(SMALL, 4)
    assert np.allclose(fast.molecule(4)[1], pos, atol=1e-6)
    assert fast.y[4, 0] == pytest.approx(interaction(z, pos, SMALL), abs=1e-3)
    before, (shard,) = path.read_bytes(), sorted((tmp_path / "shards").glob("*.extxyz"))
    path.unlink()
    label(SMALL, tmp_path)
    assert path.read_bytes() == before
    shard.unlink()
    assert label(SMALL, tmp_path)[1:] == (6, 0)
    with pytest.raises(InputError, match="other settings"):
        label(replace(SMALL, strain=0.05), tmp_path)


def test_molecules_that_do_not_converge_are_listed_and_left_out(tmp_path, monkeypatch):
    first, calls = matrix.singlepoint, []

    def sometimes(*args):
        calls.append(args)
        if len(calls) == 2:
            raise RuntimeError("SCF not converged\n in 250 cycles")
        return first(*args)

    first(*cage(SMALL))
    monkeypatch.setattr(matrix, "singlepoint", sometimes)
    assert label(replace(SMALL, count=3), tmp_path)[1:] == (2, 1)
    listed = (tmp_path / "left_out.csv").read_text().splitlines()
    assert listed[0] == "molecule,reason"
    assert listed[1].endswith(",SCF not converged in 250 cycles")
    assert len(datasets.load(tmp_path / "molecules")) == 2


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"gas": "Rn"}, "unknown rare gas 'Rn'"),
        ({"count": 0}, "count of at least 1"),
        ({"seed": -1}, "seed of 0 or more"),
        ({"strain": 0.5}, "expected a strain"),
        ({"strain": -1.0}, "expected a strain"),
        ({"strain": float("nan")}, "expected a strain"),
        ({"reach": 3.0}, "expected a reach"),
        ({"sigma": float("nan")}, "expected a reach"),
        ({"molecules": ()}, "at least one molecule"),
        ({"molecules": ("CO3",)}, "unknown molecule"),
        ({"molecules": ("O2",)}, "O2 has unpaired electrons"),
        ({"molecules": ("CH3",)}, "CH3 has unpaired electrons"),
        ({"molecules": ("Be",)}, "Be is a single atom"),
    ],
)
def test_bad_settings_are_refused_in_a_sentence(wrong, said):
    with pytest.raises(InputError, match=said):
        Settings(**wrong)


def test_the_command_names_its_files_and_refuses_in_a_sentence(tmp_path, capsys, monkeypatch):
    out = tmp_path / "m"
    start = ["data", "matrix", "--workers", "0", "--out", str(out)]
    for wrong, said in (
        (["--strain", "1"], "expected a strain"),
        (["--molecules", "C6H6", "--gas", "Ne"], "C6H6 is too large for a cage of Ne"),
        (["--count", "0"], "count of at least 1"),
        (["--workers", "-1"], "0 worker processes or more"),
    ):
        assert main([*start, *wrong]) == 2
        assert said in capsys.readouterr().err
    monkeypatch.setattr(xtb, "is_installed", lambda: False)
    assert main(start) == 2
    assert "needs the package tblite" in capsys.readouterr().err
    assert not out.exists()
    monkeypatch.undo()
    assert main([*start, "--count", "2", "--molecules", "CO, HF"]) == 0
    assert f"wrote 2 molecules in a crystal to {out / FILE}" in capsys.readouterr().out
