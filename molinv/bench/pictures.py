"""The paper's picture experiments: what extents are learned, beside the truth and no or full turns.

Each task trains a small network on real pictures three ways: without a distribution (none), with
the whole circle (fixed), and with half-widths that are learned from 0.05. All have the same
number of steps, and at test time as many averaged copies. The truth of a planted task is how far
its label lets a picture be moved. Finished runs are kept in the folder and not run again; one that
was interrupted goes on. Needs the extra `pictures`; CamVid's tasks need its folder as --root.
All tasks and seeds take some five and a half hours of one CPU core, two of them CamVid's.

    molinv bench pictures
    molinv bench pictures --tasks digits-k3,digits-angle --seeds 0 --methods learned
    molinv bench pictures --root CamVid
"""

from __future__ import annotations

import csv
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from ..errors import InputError
from ..prediction.evaluate import evaluate
from ..training.picture_config import PictureConfig
from ..training.run import train
from ..training.saved import write_json
from .listed import listed
from .picture_results import figure, others, pairs, shown, table
from .picture_tasks import METHODS, TASKS, WITHOUT_HAAR, PictureTask


def main(
    out: str = "pictures",
    tasks: str = "",
    methods: str = "none,fixed,learned",
    seeds: str = "0,1,2",
    epochs: int = 0,
    lam: float | None = None,
    copies: int = 8,
    root: str = "",
    accelerator: str = "cpu",
    quick: bool = False,
) -> None:
    """Train what is not there yet, print the table, write pictures.json and extents.png.

    Args:
        out: the folder to write into.
        tasks: names separated by commas; all, those of CamVid only with a root, if not given.
        methods: of none, fixed, learned.
        seeds: whole numbers separated by commas.
        epochs: of training a run; each task's own, if not given.
        lam: weight of the reward for a wide distribution; if not given, 0.1 for all tasks but those
            of label maps, which share 0.03.
        copies: group elements that test outputs are averaged over, for every method.
        root: CamVid's folder.
        accelerator: Lightning's: cpu, gpu, auto.
        quick: 200 pictures and two epochs, which shows that it works and no more.
    """
    console, folder, rows = Console(), Path(out), []
    runs = _runs(_chosen(tasks, root), listed(methods, "method", METHODS), _seeds(seeds))
    for task, method, seed in runs:
        config = configure(task, method, seed, lam) | {"accelerator": accelerator}
        if epochs:
            config["epochs"] = epochs
        if task.root:
            config["root"] = root
        if quick:
            config |= {"epochs": 2, "train_size": 200, "valid_size": 50}
        name = f"{task.name}-{method}-{seed}"
        config["out"] = str(folder / "runs" / name)
        rows.append(measured(task, method, seed, config, folder / f"{name}.json", copies))
        console.print(f"{name}: {rows[-1]['line']}", highlight=False)
    chosen = [task for task in TASKS.values() if any(task is ran for ran, _, _ in runs)]
    console.print(table(rows, chosen))
    for line in (*others(rows, chosen), *pairs(rows, chosen)):
        console.print(line, highlight=False)
    write_json(folder / "pictures.json", rows)
    console.print(f"wrote {figure(rows, chosen, folder / 'extents.png')}", highlight=False)


def configure(task: PictureTask, method: str, seed: int, lam: float | None) -> dict[str, Any]:
    """The settings of a run, as PictureConfig takes them."""
    return {"group": task.group, "lam": lam, "seed": seed} | task.settings | METHODS[method]


def measured(
    task: PictureTask, method: str, seed: int, config: dict[str, Any], path: Path, copies: int
) -> dict[str, Any]:
    """A run's row, from its file if it is there; raises InputError where that is of another run."""
    settings = asdict(PictureConfig(**config)) | {"copies_averaged": copies}
    if path.is_file():
        row = json.loads(path.read_text())
        there = row["settings"]
        for key in settings:
            if key not in ("out", "root") and there.get(key) != settings[key]:
                raise InputError(
                    f"{path} is of a run with {key}={there.get(key)!r}, not {settings[key]!r}: "
                    "choose another --out, or delete it and its run."
                )
        return row
    folder = train(PictureConfig(**config))
    found = evaluate(folder, copies)
    extents = {name: float(e["value"]) for name, e in found["extents"].items()}
    reach = task.reach(extents) if extents else 0.0
    errors = found["errors"]
    row = {
        "task": task.name,
        "method": method,
        "seed": seed,
        "truth": task.truth,
        "half_width": reach,
        "extents": extents,
        "met": bool(task.low <= reach <= task.high) if method == "learned" else None,
        "metric": found["metric"],
        "errors": errors,
        "history": _history(folder / "metrics.csv", task),
        "settings": settings,
    }
    row["line"] = f"{shown(task, reach)}, {found['metric']} {errors['averaged']:.4g} averaged"
    write_json(path, row)
    return row


def _history(path: Path, task: PictureTask) -> list[tuple[float, float]]:
    """(seconds of training, the judged half-width), one an epoch; empty without extents."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    wanted = [f"extent_{name}" for name in task.judged]
    return [
        (
            float(row["train_seconds"]),
            task.reach({n: float(row[f"extent_{n}"]) for n in task.judged}),
        )
        for row in rows
        if all(row.get(name) for name in wanted)
    ]


def _runs(
    tasks: list[PictureTask], methods: list[str], seeds: list[int]
) -> list[tuple[PictureTask, str, int]]:
    """What is to be trained; raises InputError where that is nothing."""
    found = [
        (task, method, seed)
        for task in tasks
        for method in methods
        for seed in seeds
        if method != "fixed" or task.group not in WITHOUT_HAAR
    ]
    if not found:
        names = ", ".join(task.name for task in tasks)
        raise InputError(f"{names}: their groups have no uniform distribution, so no `fixed`.")
    return found


def _chosen(tasks: str, root: str) -> list[PictureTask]:
    if not tasks:
        return [task for task in TASKS.values() if root or not task.root]
    chosen = [TASKS[name] for name in listed(tasks, "task", TASKS)]
    if alone := [task.name for task in chosen if task.root and not root]:
        raise InputError(f"{', '.join(alone)}: needs CamVid's folder; give --root.")
    return chosen


def _seeds(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise InputError(f"seeds: expected whole numbers, got {text!r}.") from error
