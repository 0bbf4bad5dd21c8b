"""Accuracy of every method and peer after the same minutes on the same QM9 molecules."""

from __future__ import annotations

import json
import platform
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from ..errors import InputError, unknown
from ..prediction.evaluate import evaluate
from ..training.config import TrainConfig
from ..training.module import Diverged
from ..training.run import check_same, train
from ..training.saved import write_json
from .equal_time_results import draw, show, summarise
from .methods import METHODS, Method


def main(
    out: str = "qm9-equal-time",
    minutes: float | None = None,
    seeds: int = 3,
    molecules: int = 10_000,
    full: bool = False,
    methods: str | None = None,
    targets: str = "homo,lumo",
    batch_size: int = 32,
    test: int = 5_000,
    data: str = "qm9",
    precision: str = "32-true",
) -> None:
    """Train every method for the same time, one after the other, and compare them.

    Each run has one group element a molecule and step, in training and in the test. Training
    alone is on the clock, the learning rates follow it, and the epoch with the least validation
    error counts. A run that is done is not made again, and one that was interrupted goes on, so
    the same command finishes what was begun; the table is printed after every run. All methods
    share one recipe: Muon with AdamW, at molinv's own settings. Raises InputError where the folder
    holds runs with other settings.

    Args:
        out: the folder to work in.
        minutes: minutes of training a run; 5 if not given, 20 with --full.
        seeds: runs a method: the split, the initial weights and the draws differ.
        molecules: molecules to train on.
        full: train on all of the training part, 110,000 molecules of QM9.
        methods: names of methods (see the table), separated by semicolons; all if not given.
        targets: what to predict; the table shows the first two.
        batch_size: molecules a step.
        test: test molecules to measure the errors on.
        data: the data set.
        precision: of every method's network: 32-true, bf16-mixed.
    """
    chosen = choose(methods)
    budget = minutes if minutes is not None else 20.0 if full else 5.0
    console, folder = Console(), Path(out)
    if not console.is_terminal:
        console.width = 160  # a log wraps no columns
    shared = {
        "data": data,
        "targets": targets,
        "minutes": budget,
        "batch_size": batch_size,
        "train_size": None if full else molecules,
        "valid_size": 1000,
        "precision": precision,
    }
    plan = [(method, seed) for seed in range(seeds) for method in chosen]
    for count, (method, seed) in enumerate(plan, 1):
        run = folder / method.folder / f"seed{seed}"
        config = TrainConfig(**shared, **method.settings(), seed=seed, out=str(run))
        check_same(run, config, run / "result.json", free=())
        if not (run / "result.json").is_file():
            label = f"[{count}/{len(plan)}] {method.name}, seed {seed}, {budget:g} minutes"
            console.print(label, highlight=False)
            write_json(run / "result.json", _measure(config, run, test))
            _report(console, folder, chosen, seeds, budget, precision)
    _report(console, folder, chosen, seeds, budget, precision)


def choose(names: str | None) -> list[Method]:
    """The methods that `names` lists; raises InputError for one that does not exist."""
    if names is None:
        return list(METHODS)
    known = {method.name: method for method in METHODS}
    wanted = [name.strip() for name in names.split(";") if name.strip()]
    for name in wanted:
        if name not in known:
            raise unknown("method", name, known)
    return [known[name] for name in wanted]


def _measure(config: TrainConfig, run: Path, test: int) -> dict[str, Any]:
    """Train and test; a run that diverges is a result too."""
    try:
        train(config)
    except Diverged as error:
        return {"failed": str(error)}
    found = evaluate(run, copies=0, limit=test, trust=True)
    card = json.loads((run / "model.json").read_text())
    rows = [row.split(",") for row in (run / "metrics.csv").read_text().splitlines()]
    last = dict(zip(rows[0], rows[-1], strict=True))
    return {
        "targets": found["targets"],
        "extents": found["extents"],
        "molecules": found["molecules"],
        "split": found["split"],
        "parameters": card["parameters"],
        "steps": int(last["step"]),
        "seen": int(last["step"]) * config.batch_size,
        "train_seconds": float(last["train_seconds"]),
    }


def _report(
    console: Console,
    folder: Path,
    methods: list[Method],
    seeds: int,
    minutes: float,
    precision: str,
) -> None:
    """Print the table so far, and write it with its picture."""
    results = {
        method: [
            json.loads(path.read_text())
            for seed in range(seeds)
            if (path := folder / method.folder / f"seed{seed}" / "result.json").is_file()
        ]
        for method in methods
    }
    rows = summarise(results)
    if not rows:
        raise InputError(f"no run in {folder} came to an end: see what it printed above.")
    console.print(show(rows, minutes))
    facts = {"machine": platform.processor() or platform.machine(), "torch": torch.__version__}
    facts |= {"threads": torch.get_num_threads(), "minutes": minutes, "precision": precision}
    write_json(folder / "table.json", {"facts": facts, "rows": rows})
    for picture in draw(folder, methods, rows, seeds):
        console.print(f"wrote {picture}", highlight=False)
