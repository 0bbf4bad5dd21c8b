"""molinv in the benchmark: train on the same file for the same time, or only predict."""

from __future__ import annotations

import csv
import os
import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from ...chem.readers import read
from ...chem.structure import Rejected, Structure
from ...prediction.predictor import Predictor
from ...training.config import TrainConfig
from ...training.run import train
from ..grid import history
from .cells import Cell

WORKERS = os.cpu_count() or 1


@dataclass
class ShippedConfig:
    """Settings of predictions without training."""

    data: str = ""
    targets: str = ""
    out: str = ""
    model: str = "qm9-smiles"


def measure(cell: Cell, config: TrainConfig) -> dict[str, Any]:
    """Train, and predict the test molecules from their SMILES as `molinv predict` does.

    Returns what `chemprop.measure` returns, for one model. "reasons" explains missing predictions,
    by the index of the test molecule; "left_out" is the number of molecules that could not be used.
    """
    start, before = time.monotonic(), time.process_time()
    folder = train(config, workers=WORKERS)
    wall, busy = time.monotonic() - start, time.process_time() - before
    found = predict(cell, folder)
    rows, rejected = history(folder), folder / "rejected.csv"
    found["left_out"] = 0
    if rejected.is_file():
        with rejected.open(encoding="utf-8", newline="") as file:
            found["left_out"] = sum(1 for _ in csv.reader(file)) - 1
    for name in ("checkpoints", "tensorboard"):
        shutil.rmtree(folder / name, ignore_errors=True)
    done = {"seconds": float(rows[-1]["train_seconds"]), "wall": wall, "busy": busy}
    return found | done | {"epochs": int(rows[-1]["epoch"])}


def shipped(cell: Cell, config: ShippedConfig) -> dict[str, Any]:
    """Predict the test molecules with an existing model."""
    start = time.monotonic()
    found = predict(cell, config.model)
    return found | {"seconds": 0.0, "wall": time.monotonic() - start}


def predict(cell: Cell, model: str | Path) -> dict[str, Any]:
    """Predicted values of the test molecules, None where missing, and the reasons."""
    structures, targets = embedded(cell), list(cell.units)
    rows = Predictor(model, targets=targets).predict(iter(structures))
    shown = track(rows, "predicting", len(structures), console=Console(stderr=True), transient=True)
    return gather(shown, targets)


def gather(rows: Iterable[dict[str, Any] | Rejected], targets: list[str]) -> dict[str, Any]:
    """Values by target, and the reason for each molecule without a value, by its index."""
    values: dict[str, list[float | None]] = {name: [] for name in targets}
    reasons = {}
    for i, row in enumerate(rows):
        if isinstance(row, Rejected):
            reasons[str(i)] = row.reason
        for name, column in values.items():
            column.append(None if isinstance(row, Rejected) else float(row[name]))
    return {"predictions": [values], "reasons": reasons}


@lru_cache(maxsize=1)
def embedded(cell: Cell) -> list[Structure | Rejected]:
    """The test molecules with RDKit's conformers (fixed seed), shared by all models of a cell."""
    smiles, _ = cell.test()
    workers = WORKERS if len(smiles) > 200 else 0
    found = read(smiles, workers=workers)
    shown = track(found, "conformers", len(smiles), console=Console(stderr=True), transient=True)
    return list(shown)
