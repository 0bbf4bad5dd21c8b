"""Measurements of a learned potential: on xTB itself, whose result is known, and on a real run."""

import json
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from small_run import small

pytest.importorskip("tblite")

from molinv import datasets
from molinv.bench.potential.measures import XTB, differences, dynamics, relaxation, rmsd
from molinv.cli import main
from molinv.datasets.xtb import Settings, label
from molinv.training.run import train

SAMPLE = Path(__file__).parents[2] / "data" / "qm9_sample"


def test_rmsd_is_zero_for_a_rotated_molecule_but_not_for_a_mirrored_one():
    draw = np.random.default_rng(0)
    atoms = Atoms("C5", positions=draw.normal(size=(5, 3)))
    g = np.linalg.qr(draw.normal(size=(3, 3)))[0]
    g[:, 0] *= np.linalg.det(g)
    turned = Atoms("C5", positions=atoms.positions @ g.T + 3.0)
    assert rmsd(atoms, turned) < 1e-12
    turned.positions[0] += 0.1
    assert 0.01 < rmsd(atoms, turned) < 0.1
    assert rmsd(atoms, Atoms("C5", positions=-atoms.positions)) > 0.1


def test_xtb_measured_against_itself_is_right():
    """The deviations come from SCF convergence and from the threshold of relaxations."""
    atoms = molecule("CH3OH")
    assert differences(atoms, XTB(), 2e-4) < 2e-2  # xTB's energies are converged to about 1e-6 eV
    found = relaxation(atoms, XTB(), seed=0)
    assert found.distance < 1e-3 < 0.02 < found.start
    assert abs(found.above) < 1e-4
    drift, swing = dynamics(atoms, XTB(), 0.05, 300.0, seed=0)
    assert abs(drift) < 20
    assert swing < 2


def test_a_run_is_measured_by_one_command(tmp_path, capsys):
    whole = datasets.load(SAMPLE)
    few = whole.take(np.argsort(whole.sizes, kind="stable")[:20])
    path, *_ = label(few, Settings(molecules=20, copies=2, sigma=0.03), tmp_path / "xtb")
    settings = dict(data=str(path), targets="energy,forces", split="column:split", epochs=3)
    run = train(small(tmp_path / "run", **settings, train_size=None, batch_size=8))
    out = tmp_path / "out"
    arguments = ["--out", str(out), "--run", str(run), "--molecules", "1", "--picoseconds", "0.02"]
    assert main(["bench", "potential", *arguments]) == 0
    assert "xTB" in capsys.readouterr().out
    (row,) = json.loads((out / "potential.json").read_text())["rows"]
    assert row["differences"] < 1e-4  # eV/angstrom
    assert abs(row["swing"]) < 5
    assert {"distance", "start", "above", "drift", "molecule"} < set(row)
    plain = train(small(tmp_path / "plain", **(settings | {"targets": "energy"}), train_size=None))
    capsys.readouterr()
    assert main(["bench", "potential", "--run", str(plain)]) == 2
    assert "learned no forces" in capsys.readouterr().err
    assert main(["bench", "potential", "--model", "pain", "--out", str(out)]) == 2
    assert "did you mean 'painn'" in capsys.readouterr().err
