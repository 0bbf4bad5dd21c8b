"""Run chemprop's command line: train, and read the predictions of each model."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from ...errors import InputError
from ..environments import reason
from .cells import PART, Cell
from .environment import Environment


@dataclass
class ChempropConfig:
    """Settings of chemprop's run; all others are chemprop's defaults."""

    data: str = ""
    targets: str = ""
    out: str = ""
    ensemble: int = 5
    epochs: int | None = None
    seed: int = 0
    accelerator: str = "cpu"


def command(program: Path, config: ChempropConfig) -> list[str]:
    """The command line (chemprop 2.3's `train --help`)."""
    line = [str(program), "train", "--data-path", config.data, "--splits-column", PART]
    line += ["--smiles-columns", "smiles", "--target-columns", *config.targets.split(",")]
    line += ["--ensemble-size", str(config.ensemble), "--accelerator", config.accelerator]
    line += ["--pytorch-seed", str(config.seed), "--data-seed", str(config.seed)]
    line += ["--remove-checkpoints", "--output-dir", config.out]
    return line + (["--epochs", str(config.epochs)] if config.epochs else [])


def measure(where: Environment, cell: Cell, config: ChempropConfig) -> dict[str, Any]:
    """Train an ensemble, and collect each model's predictions for the test molecules.

    "seconds" is the time of one model, with its validation and test, without the start of chemprop.
    "wall" and "busy" (processor time) are those of the command, in seconds. "predictions" has one
    entry per model: {target: values in the order of the test molecules}. Raises InputError if
    chemprop fails, or used a split other than the file's.
    """
    out = Path(config.out)
    out.mkdir(parents=True, exist_ok=True)
    log, start, before = out / "chemprop.log", time.monotonic(), os.times()
    for left in out.glob("model_*/test_predictions.csv"):
        left.unlink()  # from an interrupted run
    with log.open("w", encoding="utf-8") as file:
        _run(command(where.chemprop, config), file, out, config.ensemble)
    wall, after = time.monotonic() - start, os.times()
    busy = sum(after[2:4]) - sum(before[2:4])  # of child processes
    _check_parts(out, cell)
    smiles, _ = cell.test()
    files = [out / f"model_{k}" / "test_predictions.csv" for k in range(config.ensemble)]
    made = [_predictions(path, smiles, list(cell.units)) for path in files]
    begun, ended = (path.stat().st_mtime for path in (out / "splits.json", files[-1]))
    seconds = (ended - begun) / config.ensemble
    return {"seconds": seconds, "wall": wall, "busy": busy, "predictions": made, "reasons": {}}


def _run(line: list[str], file: Any, out: Path, models: int) -> None:
    """Run the command, with a progress bar over finished models."""
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("chemprop", total=models)
        process = subprocess.Popen(line, stdout=file, stderr=subprocess.STDOUT)
        try:
            while process.poll() is None:
                done = sum(1 for _ in out.glob("model_*/test_predictions.csv"))
                bar.update(task, completed=done)
                time.sleep(0.1)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    if process.returncode:
        said = Path(file.name).read_text(encoding="utf-8", errors="replace")
        raise InputError(f"chemprop failed, see {file.name}: {reason(process.returncode, said)}")


def _check_parts(out: Path, cell: Cell) -> None:
    (used,) = json.loads((out / "splits.json").read_text(encoding="utf-8"))
    for word, count in cell.sizes().items():
        if len(used[word]) != count:
            raise InputError(
                f"chemprop used {len(used[word])} molecules of {cell.file} as {word}, not "
                f"{count}: this version reads the column {PART!r} differently."
            )


def _predictions(path: Path, smiles: list[str], targets: list[str]) -> dict[str, list[float]]:
    """One model's values; raises InputError if they are not those of the test molecules."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if [row["smiles"] for row in rows] != smiles:
        raise InputError(f"{path}: expected the {len(smiles)} test molecules in their order.")
    return {name: [float(row[name]) for row in rows] for name in targets}
