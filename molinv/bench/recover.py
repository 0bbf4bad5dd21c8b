"""Symmetries that are known, recovered: every planted task, trained and held to its truth.

Real molecules carry a target whose symmetry is known (see `molinv.datasets.planted`): all of the
rotations, those about one axis, some of them, none. One setting serves all tasks: the reward, its
weight and the learning rates (recover_tasks.RECIPES). A run is right only if every truth of it
holds. Beside it stands the plain recipe of the paper: a box, its norm rewarded, from the start.
"""

from __future__ import annotations

import csv
import json
import platform
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console

from ..datasets import planted
from ..datasets.batches import OnDevice
from ..datasets.split import split
from ..distributions import Distribution
from ..errors import InputError
from ..training.config import TrainConfig
from ..training.module import Diverged
from ..training.run import train
from ..training.saved import load, write_json
from .listed import listed
from .recover_results import draw, show, summarise, write_markdown
from .recover_tasks import RECIPES, ROWS, Row, configure


def main(
    out: str = "recover",
    tasks: str | None = None,
    seeds: int = 3,
    steps: int = 8000,
    minutes: float | None = None,
    variants: int = 0,
    recipes: str = "molinv,plain",
    molecules: int | None = None,
    data: str = "qm9",
) -> None:
    """Train every task with every seed, print truth beside learned, write table and figure.

    A run that is done is not made again, and one that was interrupted goes on, so the same
    command finishes what was begun; the table is printed after every run.

    Args:
        out: the folder to work in.
        tasks: rows of the table, separated by commas; all if not given.
        seeds: runs a row: the molecules, their poses, the initial weights and the draws differ.
        steps: steps of training a run, rounded up to whole epochs.
        minutes: minutes of training a run, in place of steps.
        variants: instead of the tasks as they are, so many hidden variants of each: another axis,
            angle, field strength or property, drawn from a seed.
        recipes: molinv, and plain for the first seed of one row a task, as the baseline.
        molecules: molecules of a task at most; 40,000 if not given.
        data: the data set that they are of; it needs charges and the targets of QM9.
    """
    if seeds < 1 or variants < 0 or steps < 1:
        raise InputError(
            f"expected seeds >= 1, variants >= 0 and steps >= 1, got {seeds}, {variants} and "
            f"{steps}."
        )
    chosen = listed(tasks, "task", ROWS) if tasks else list(ROWS)
    ways = listed(recipes, "recipe", RECIPES)
    console, folder = Console(), Path(out)
    if not console.is_terminal:
        console.width = 140  # a log wraps no columns
    plan = [
        (ROWS[name], way, seed, number)
        for seed in range(seeds)
        for number in (range(variants) if variants else (None,))
        for way in ways
        for name in chosen
        if ROWS[name].chosen(way) is not None and (way == "molinv" or seed == 0)
    ]
    results = []
    for count, (row, way, seed, number) in enumerate(plan, 1):
        text = row.text(seed, number, data, molecules)
        mark = "" if number is None else f"-hidden{number}"
        run = folder / "runs" / f"{row.name}-{way}{mark}-seed{seed}"
        config = configure(row, way, text, seed, str(run), steps, minutes)
        path, new = run / "result.json", False
        if not path.is_file():
            console.print(f"[{count}/{len(plan)}] {run.name}", highlight=False)
            write_json(path, _measure(row, way, config, run))
            new = True
        results.append(read(path, config))
        if new or count == len(plan):
            report(console, folder, results)


def read(path: Path, config: TrainConfig) -> dict[str, Any]:
    """A run's result; raises InputError where it is of a run with other settings."""
    result = json.loads(path.read_text())
    for name, value in asdict(config).items():
        if name != "out" and result["settings"].get(name) != value:
            raise InputError(
                f"{path} is of a run with {name}={result['settings'].get(name)!r}, not {value!r}: "
                "choose another --out, or delete that folder."
            )
    return result


def _measure(row: Row, recipe: str, config: TrainConfig, run: Path) -> dict[str, Any]:
    """Train, then hold what was learned to the truths; a run that diverges is a result too."""
    found: dict[str, Any] = {"row": row.name, "task": row.task, "recipe": recipe}
    found |= {"settings": asdict(config), "truths": [], "right": False}
    try:
        train(config)
    except Diverged as error:
        return found | {"failed": str(error)}
    task = planted.from_text(config.data)
    mu = load(run).network.distribution
    rows = judge(task, task.variants[row.chosen(recipe) or 0].truths, mu, config.seed)
    with (run / "metrics.csv").open(newline="") as file:
        history = list(csv.DictReader(file))
    return found | {
        "truths": rows,
        "right": all(r["right"] for r in rows),
        "error": float(history[-1]["train_error"]),
        "steps": int(history[-1]["step"]),
        "seconds": float(history[-1]["train_seconds"]),
    }


def judge(
    task: planted.Planted, truths: tuple[planted.Truth, ...], mu: Distribution, seed: int
) -> list[dict[str, Any]]:
    """Truth beside learned, for each of the truths, with a verdict.

    What is known of each molecule is measured on the validation molecules.
    """
    rows = []
    for truth in truths:
        bound = mu
        if isinstance(truth, planted.Separates):
            held_out = np.sort(split(len(task.molecules), seed).valid)
            store = OnDevice(task.molecules, task.molecules.y, "cpu", center=task.center)
            batch = store.gather(held_out)
            with torch.no_grad():
                bound = mu.at(batch.pos, batch.z)
            truth = truth.of(held_out)
        learned = truth.measure(bound)
        rows.append(
            {
                "name": truth.name,
                "unit": truth.unit,
                "truth": truth.value,
                "tolerance": truth.tolerance,
                "learned": learned,
                "right": bool(truth.holds(learned)),
            }
        )
    return rows


def report(console: Console, folder: Path, results: list[dict[str, Any]]) -> None:
    """Print the table so far; write it as recover.md and recover.json, and recover.png."""
    rows = summarise(results)
    console.print(show(rows))
    facts = {"machine": platform.processor() or platform.machine(), "torch": torch.__version__}
    facts |= {"threads": torch.get_num_threads(), "recipes": RECIPES}
    write_json(folder / "recover.json", {"facts": facts, "rows": rows, "runs": results})
    write_markdown(folder / "recover.md", rows)
    draw(folder / "recover.png", rows)
