"""Recover known symmetries: train every planted task and compare it with its truth.

Real molecules get a target whose symmetry is known (see `molinv.datasets.planted`): all rotations,
those about one axis, some of them, or none. All tasks share one setting: the reward, its weight and
the learning rates (tasks.RECIPES). A run is right only if all its truths hold. The baseline is the
paper's plain recipe: a box whose norm is rewarded from the first step.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console

from ...datasets import planted
from ...datasets.batches import OnDevice
from ...datasets.split import split
from ...distributions import Distribution
from ...training.config import TrainConfig
from ...training.run import train
from ...training.saved import load
from ..flags import listed, positive
from ..grid import Run, finish, history
from ..report import facts, wide, write, write_markdown
from .results import COLUMNS, cells, draw, show, summarise, totals
from .tasks import RECIPES, ROWS, Row, configure


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
    """Train every task with every seed, print truth and learned values, write table and figure.

    Finished runs are skipped and an interrupted run is resumed, so the same command finishes an
    interrupted benchmark. The table is printed after every run.

    Args:
        out: output folder.
        tasks: rows of the table, separated by commas; all if not given.
        seeds: runs per row, which differ in molecules, orientations, initial weights and noise.
        steps: training steps per run, rounded up to complete epochs.
        minutes: minutes of training per run, in place of steps.
        variants: number of hidden variants of each task, in place of the task itself: another
            axis, angle, field strength or property, drawn from a seed.
        recipes: molinv, and plain, the baseline; plain runs for the first seed of one row per task.
        molecules: maximum number of molecules per task; 40,000 if not given.
        data: source of the molecules: a data set with charges and the targets of QM9.
    """
    positive(seeds=seeds, steps=steps)
    chosen = listed(tasks, "task", ROWS) if tasks else list(ROWS)
    ways = listed(recipes, "recipe", RECIPES)
    plan = [
        (ROWS[name], way, seed, number)
        for seed in range(seeds)
        for number in (range(variants) if variants else (None,))
        for way in ways
        for name in chosen
        if ROWS[name].chosen(way) is not None and (way == "molinv" or seed == 0)
    ]

    def run(row: Row, way: str, seed: int, number: int | None) -> Run:
        text = row.text(seed, number, data, molecules)
        mark = "" if number is None else f"-hidden{number}"
        place = Path(out) / "runs" / f"{row.name}-{way}{mark}-seed{seed}"
        config = configure(row, way, text, seed, str(place), steps, minutes)
        about = {"row": row.name, "task": row.task, "recipe": way, "truths": [], "right": False}
        work = partial(_measure, row, way, config)
        return Run(place.name, place / "result.json", config, work, facts=about)

    console, results = wide(), []
    for result, due in finish((run(*each) for each in plan), len(plan), console):
        results.append(result)
        if due:
            report(console, Path(out), results)


def _measure(row: Row, recipe: str, config: TrainConfig) -> dict[str, Any]:
    """Train, then compare the learned values with the truths."""
    folder = train(config)
    task = planted.from_text(config.data)
    mu = load(folder, trust=True).network.distribution
    rows = judge(task, task.variants[row.chosen(recipe) or 0].truths, mu, config.seed)
    last = history(folder)[-1]
    return {
        "truths": rows,
        "right": all(r["right"] for r in rows),
        "error": float(last["train_error"]),
        "steps": int(last["step"]),
        "seconds": float(last["train_seconds"]),
    }


def judge(
    task: planted.Planted, truths: tuple[planted.Truth, ...], mu: Distribution, seed: int
) -> list[dict[str, Any]]:
    """For each truth the true and the learned value, and whether the truth holds.

    A truth about single molecules is measured on the validation molecules.
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
        known = {"name": truth.name, "unit": truth.unit, "truth": truth.value}
        found = {"learned": learned, "right": bool(truth.holds(learned))}
        rows.append(known | {"tolerance": truth.tolerance} | found)
    return rows


def report(console: Console, folder: Path, results: list[dict[str, Any]]) -> None:
    """Print the table so far, and write recover.md, recover.json and recover.png."""
    rows = summarise(results)
    console.print(show(rows))
    content = {"facts": facts(recipes=RECIPES), "rows": rows, "runs": results}
    write(folder / "recover.json", content)
    write_markdown(folder / "recover.md", (COLUMNS, cells(rows)), after=totals(rows))
    draw(folder / "recover.png", rows)
