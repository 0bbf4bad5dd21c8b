"""The paper's picture experiments: learned extents compared with the truth.

Each task trains a small network on real pictures in three ways: without a distribution (none), with
Haar measure on the whole circle (fixed), and with half-widths learned from an initial 0.05. All
have the same number of steps, and average over the same number of copies at test time. The truth of
a planted task is how far a picture can be moved without changing its label. Finished runs are
skipped, and an interrupted run is resumed. Needs the extra `pictures`; CamVid's tasks need CamVid's
folder as --root. All tasks and seeds take some five and a half hours of one CPU core, two of them
for CamVid.

    molinv bench pictures
    molinv bench pictures --tasks digits-k3,digits-angle --seeds 0 --methods learned
    molinv bench pictures --root CamVid
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from ...errors import InputError
from ...prediction.evaluate import evaluate
from ...training.picture_config import PictureConfig
from ...training.run import train
from ...training.saved import write_json
from ..flags import listed, numbers
from ..grid import Run, finish, history
from .results import figure, others, pairs, shown, table
from .tasks import METHODS, TASKS, WITHOUT_HAAR, PictureTask


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
    """Train missing runs, print the table, and write pictures.json and extents.png.

    Args:
        out: output folder.
        tasks: names separated by commas; all if not given, those of CamVid only with --root.
        methods: some of none, fixed, learned, separated by commas.
        seeds: whole numbers separated by commas.
        epochs: epochs of each run; each task's own number if not given.
        lam: weight of the reward for a wide distribution; if not given, 0.03 for tasks with label
            maps and 0.1 for all others.
        copies: group elements that test outputs are averaged over, for every method.
        root: CamVid's folder.
        accelerator: Lightning's accelerator: cpu, gpu, auto.
        quick: 200 pictures and two epochs, a check that everything runs.
    """
    chosen, ways = _chosen(tasks, root), listed(methods, "method", METHODS)
    plan = [
        (task, method, seed)
        for task in chosen
        for method in ways
        for seed in numbers(seeds, "seed")
        if method != "fixed" or task.group not in WITHOUT_HAAR
    ]
    if not plan:
        names = ", ".join(task.name for task in chosen)
        raise InputError(
            f"{names}: the groups of these tasks have no uniform distribution: leave out the "
            "method fixed."
        )
    console, folder, rows = Console(highlight=False), Path(out), []

    def run(task: PictureTask, method: str, seed: int) -> Run:
        config: dict[str, Any] = configure(task, method, seed, lam)
        config["accelerator"] = accelerator
        if epochs:
            config["epochs"] = epochs
        if task.root:
            config["root"] = root
        if quick:
            config |= {"epochs": 2, "train_size": 200, "valid_size": 50}
        name = f"{task.name}-{method}-{seed}"
        made = PictureConfig(**config, out=str(folder / "runs" / name))
        about = {"task": task.name, "method": method, "seed": seed, "truth": task.truth}
        work, test = partial(_measure, task, method, made, copies), {"copies_averaged": copies}
        return Run(name, folder / f"{name}.json", made, work, test, about)

    for row, _ in finish((run(*each) for each in plan), len(plan), console):
        rows.append(row)
        name = f"{row['task']}-{row['method']}-{row['seed']}"
        console.print(f"{name}: {row.get('line', 'diverged')}")
    rows = [row for row in rows if "failed" not in row]
    chosen = [task for task in TASKS.values() if any(row["task"] == task.name for row in rows)]
    if not chosen:
        raise InputError("all runs diverged: give a lower --lam.")
    console.print(table(rows, chosen))
    for line in (*others(rows, chosen), *pairs(rows, chosen)):
        console.print(line)
    write_json(folder / "pictures.json", rows)
    console.print(f"wrote {figure(rows, chosen, folder / 'extents.png')}")


def configure(task: PictureTask, method: str, seed: int, lam: float | None) -> dict[str, Any]:
    """The settings of a run, as arguments of PictureConfig."""
    return {"group": task.group, "lam": lam, "seed": seed} | task.settings | METHODS[method]


def _measure(task: PictureTask, method: str, config: PictureConfig, copies: int) -> dict[str, Any]:
    """Train, then compare the half-width with the truth."""
    folder = train(config)
    found = evaluate(folder, copies)
    extents = {name: float(e["value"]) for name, e in found["extents"].items()}
    reach, metric = task.reach(extents) if extents else 0.0, found["metric"]
    return {
        "half_width": reach,
        "extents": extents,
        "met": bool(task.low <= reach <= task.high) if method == "learned" else None,
        "metric": metric,
        "errors": found["errors"],
        "history": _history(folder, task),
        "line": f"{shown(task, reach)}, {metric} {found['errors']['averaged']:.4g} averaged",
    }


def _history(folder: Path, task: PictureTask) -> list[tuple[float, float]]:
    """(seconds of training, judged half-width) per epoch; empty without extents."""
    names = {f"extent_{name}": name for name in task.judged}
    return [
        (float(row["train_seconds"]), task.reach({n: float(row[c]) for c, n in names.items()}))
        for row in history(folder)
        if all(row.get(column) for column in names)
    ]


def _chosen(tasks: str, root: str) -> list[PictureTask]:
    if not tasks:
        return [task for task in TASKS.values() if root or not task.root]
    chosen = [TASKS[name] for name in listed(tasks, "task", TASKS)]
    if alone := [task.name for task in chosen if task.root and not root]:
        raise InputError(f"{', '.join(alone)}: CamVid's folder is missing; give --root.")
    return chosen
