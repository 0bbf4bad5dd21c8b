"""Clusters over a slab: the plane group that the docstring derives, seen on labels."""

from pathlib import Path

import numpy as np
import pytest

from molinv import InputError, datasets
from molinv.cli import main
from molinv.datasets.molecules import Target
from molinv.datasets.own import read_own
from molinv.datasets.surface import FILE, Settings, interaction, label, place, truth

pytest.importorskip("ase")

UP = np.array([0.0, 0.0, 1.0])
SMALL = Settings(count=6, layers=2, atoms=2, seed=1)


def about_z(angle):
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


@pytest.mark.parametrize(("facet", "turns"), [("100", 4), ("111", 3)])
def test_the_plane_group_leaves_the_energy_and_nothing_else_does(facet, turns):
    settings = Settings(facet=facet, layers=2, atoms=2, seed=1)
    group = truth(settings)
    # low over the slab, where its corrugation is felt
    low = min((place(i, settings) for i in range(20)), key=lambda pos: pos[:, 2].min())
    energy = interaction(low, settings)
    assert group.turns == turns == len(group.elements())
    for slide in (group.lattice[0], -group.lattice[1], 2 * group.lattice.sum(0)):
        assert interaction(low + slide, settings) == pytest.approx(energy, abs=1e-6)
    for g in group.elements():
        assert interaction(low @ g.T, settings) == pytest.approx(energy, abs=1e-6)
    mirror = np.diag([1.0, -1.0, 1.0]) if facet == "100" else np.diag([-1.0, 1.0, 1.0])
    assert interaction(low @ mirror.T, settings) == pytest.approx(energy, abs=1e-6)
    centre = low.mean(0)
    tilt = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]])
    for changed in (
        low + group.lattice[0] / 3,
        low + 0.3 * UP,
        low @ about_z(np.pi / turns).T,
        (low - centre) @ tilt.T + centre + UP,
    ):
        # over (111) a sixth turn swaps two kinds of hollow sites, which differ little
        assert abs(interaction(changed, settings) - energy) > 0.1


def test_a_cluster_does_not_see_its_images():
    settings = Settings(layers=2, atoms=6, seed=2)
    larger = Settings(layers=2, atoms=6, seed=2, cells=7)
    for number in range(3):
        pos = place(number, settings)
        assert interaction(pos, settings) == pytest.approx(interaction(pos, larger), abs=0.01)


def test_the_energy_vanishes_far_away():
    pos = place(0, SMALL)
    assert interaction(pos + 8 * UP, SMALL) == pytest.approx(0, abs=1e-6)


def test_files_are_read_alike_and_an_interrupted_run_is_resumed(tmp_path):
    path, count = label(SMALL, tmp_path)
    assert (path, count) == (tmp_path / FILE, 6)
    own = read_own(path, [Target("interaction", "")]).molecules
    fast = datasets.load(tmp_path / "molecules")
    assert fast.targets[0].unit == "meV"
    assert np.allclose(fast.pos, own.pos, atol=1e-6)
    assert np.allclose(fast.select(["interaction"]), own.select(["interaction"]), atol=1e-5)
    pos = place(3, SMALL)
    assert np.allclose(fast.molecule(3)[1], pos, atol=1e-6)
    assert fast.y[3, 0] == pytest.approx(interaction(pos, SMALL), abs=1e-6)
    before, (shard,) = path.read_bytes(), sorted((tmp_path / "shards").glob("*.extxyz"))
    shard.unlink()
    label(SMALL, tmp_path)
    assert path.read_bytes() == before
    with pytest.raises(InputError, match="other settings"):
        label(Settings(count=7, layers=2, atoms=2, seed=1), tmp_path)


def test_bad_settings_are_refused_in_a_sentence(tmp_path, capsys):
    for wrong, said in (
        ({"vacuum": 0.0}, "a slab needs vacuum"),
        ({"vacuum": float("nan")}, "a slab needs vacuum"),
        ({"metal": "Fe"}, "metal of EMT"),
        ({"cluster": "C"}, "metal of EMT"),
        ({"facet": "110"}, "facet"),
        ({"cells": 2}, "cells: expected at least 5"),
        ({"atoms": 9}, "up to 6"),
        ({"count": 0}, "count: expected at least 1"),
    ):
        with pytest.raises(InputError, match=said):
            Settings(**wrong)
    arguments = ["data", "surface", "--vacuum", "0", "--out", str(tmp_path / "s")]
    assert main(arguments) == 2
    assert "a slab needs vacuum" in capsys.readouterr().err
    assert not (tmp_path / "s").exists()


def test_the_command_names_its_files(tmp_path, capsys):
    arguments = ["data", "surface", "--count", "2", "--layers", "2", "--atoms", "1"]
    assert main([*arguments, "--workers", "0", "--out", str(tmp_path)]) == 0
    assert f"wrote 2 clusters over a slab to {Path(tmp_path) / FILE}" in capsys.readouterr().out
