"""Compare a potential learned from energies and forces with xTB, its source of training data.

Measures finite differences, a relaxation and dynamics at constant energy, for held-out molecules of
a data set made by `molinv data xtb`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ase import Atoms
from rich.console import Console
from rich.table import Table

from ...chem import MolInvCalculator
from ...datasets import load
from ...datasets.xtb import Settings, label
from ...errors import InputError, unknown
from ...prediction.evaluate import evaluate
from ...prediction.evaluate import table as accuracy_table
from ...pretrained import locate
from ...training.config import TrainConfig, read_config
from ...training.run import train
from ...training.source import prepare
from .. import report
from ..flags import positive
from ..networks import POTENTIALS
from .measures import differences, dynamics, relaxation

COLUMNS = {
    "differences": "forces minus finite differences (eV/angstrom)",
    "start": "start to xTB's minimum (angstrom)",
    "distance": "model's to xTB's minimum (angstrom)",
    "above": "xTB energy of the model's minimum above xTB's (eV)",
    "drift": "drift (meV/atom/ps)",
    "swing": "deviation (meV/atom)",
}


def main(
    out: str = "potential",
    run: str | None = None,
    model: str = "point",
    minutes: float = 12.0,
    molecules: int = 5,
    picoseconds: float = 1.0,
    kelvin: float = 300.0,
    orbit: str | None = None,
    seed: int = 0,
) -> None:
    """Label 1,600 molecules of QM9, three geometries each, train on them, measure the potential.

    Args:
        out: output folder; an interrupted benchmark in it is resumed.
        run: run folder of a model of energies and forces, to measure in place of training.
        model: architecture to train: point or painn.
        minutes: minutes of training.
        molecules: number of test molecules to measure.
        picoseconds: length of each trajectory, in steps of 0.5 fs.
        kelvin: temperature of the starting velocities.
        orbit: orientations that the energy is averaged over, as in MolInvCalculator; identity for a
            network that is invariant by construction.
        seed: random seed of the data set, of training, and of displacements and velocities.
    """
    positive(molecules=molecules)
    folder = locate(run) if run else _trained(Path(out), model, minutes, seed)
    calculator = MolInvCalculator(str(folder), orbit=orbit, double=True)
    if calculator.predictor.saved.standardizer.forces is None:
        raise InputError(f"{folder} learned no forces: train with --targets energy,forces.")
    source = prepare(read_config(folder / "config.yaml"))
    atoms = [
        Atoms(numbers=z, positions=pos)
        for z, pos in (source.molecules.molecule(int(i)) for i in source.parts.test)
    ]
    chosen = atoms[:: max(1, len(atoms) // molecules)][:molecules]
    rows = [measured(a, calculator, picoseconds, kelvin, seed) for a in chosen]
    report.write(Path(out) / "potential.json", {"run": str(folder), "rows": rows})
    report.wide().print(table(rows))


def _trained(out: Path, model: str, minutes: float, seed: int) -> Path:
    if model not in POTENTIALS:
        raise unknown("model of this benchmark:", model, POTENTIALS)
    path, *_ = label(load("qm9"), Settings(1600, 3, seed=seed), out / "xtb", os.cpu_count() or 1)
    config = TrainConfig(
        data=str(path),
        targets="energy,forces",
        split="column:split",
        weights={"forces": 10.0},
        model=model,
        model_args=POTENTIALS[model].settings,
        minutes=minutes,
        batch_size=16,
        ema=0.99,
        seed=seed,
        out=str(out / model),
    )
    folder = train(config)
    Console().print(accuracy_table(evaluate(folder, copies=1)))
    return folder


def measured(
    atoms: Atoms, calculator: MolInvCalculator, picoseconds: float, kelvin: float, seed: int
) -> dict[str, Any]:
    """All measurements of one molecule."""
    drift, swing = dynamics(atoms, calculator, picoseconds, kelvin, seed)
    row = {"molecule": atoms.get_chemical_formula(), "differences": differences(atoms, calculator)}
    return row | relaxation(atoms, calculator, seed)._asdict() | {"drift": drift, "swing": swing}


def table(rows: list[dict[str, Any]]) -> Table:
    """The measurements as a table to print."""
    cells = [(row["molecule"], *(f"{row[name]:.2g}" for name in COLUMNS)) for row in rows]
    title = "A learned potential compared with GFN2-xTB, on held-out molecules"
    return report.table(("molecule", *COLUMNS.values()), cells, title)
