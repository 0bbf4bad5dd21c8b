"""Find groups of rotations that nobody named, finite ones in a random frame included.

The examples are points in a potential with a known group of rotations (see `tasks.make`). A network
without symmetry is trained jointly with `Peaks`. The final probabilities are those of the trained
network (`training.settling`), and the likely rotations are named. A run is
right if the symbol is, and every element is within 10 degrees of an element that was found. All
rows have one setting, chosen on seeds 0, 1, 2 and 100, which are not run.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from math import degrees
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from ...augment import Augmented
from ...distributions import Peaks
from ...groups import SO3
from ...groups.merging import distance
from ...groups.naming import Named
from ...training.fit import fit
from ...training.settling import settle
from ..flags import listed, positive
from ..grid import Run, finish
from ..report import facts, wide, write, write_markdown
from .network import PointSum
from .results import COLUMNS, cells, show, summarise, total
from .tasks import FIRST, NOT_ENOUGH, ROWS, Data, Row, make

# the same for all rows
RECIPE: dict[str, Any] = {"lam": 0.05, "wait": 0.2, "muon_lr": 1e-2, "batch_size": 128}
LAM = 0.02  # of the final probabilities, in standard deviations of the target
NEAR = 10.0  # degrees
SEED = 11  # the first; smaller ones served to choose the setting
SETTLED = 1000  # training examples from which the final probabilities are computed
UNLEARNED = 0.5  # held-out error in units of that of the median, above which nothing is said


@dataclass(frozen=True)
class Settings:
    """The settings of a run."""

    row: str = ""
    seed: int = 0
    examples: int = 0
    noise: float = 0.0
    steps: int = 0
    out: str = ""


def main(
    out: str = "groups",
    tasks: str = ",".join(FIRST),
    seeds: int = 10,
    steps: int = 1500,
    examples: int = 5000,
    noise: float = 0.1,
) -> None:
    """Train every task with every seed, name the groups, and print a table.

    Finished runs are skipped and an interrupted run, of less than a minute, is started again. So
    the same command finishes an interrupted benchmark. The table is printed after every run.

    Args:
        out: output folder.
        tasks: rows of the table, separated by commas, or all.
        seeds: runs per row, which differ in frame, potential, examples, initial weights and draws.
        steps: training steps per run.
        examples: examples per run; a tenth is held out.
        noise: standard deviation of the noise of the target, in units of the target's.
    """
    positive(seeds=seeds, steps=steps, examples=examples)
    chosen = list(ROWS) if tasks == "all" else listed(tasks, "task", ROWS)
    plan = [(ROWS[name], seed) for seed in range(SEED, SEED + seeds) for name in chosen]

    def run(row: Row, seed: int) -> Run:
        path = Path(out) / "runs" / f"{row.name}-seed{seed}.json"
        settings = Settings(row.name, seed, examples, noise, steps, out)
        about = {"row": row.name, "truth": row.answer, "right": False}
        return Run(path.stem, path, settings, partial(measure, row, settings), facts=about)

    console, results = wide(), []
    for result, due in finish((run(*each) for each in plan), len(plan), console):
        results.append(result)
        if due:
            report(console, Path(out), results)


def measure(row: Row, settings: Settings) -> dict[str, Any]:
    """Train, name the group, and compare it with the truth."""
    start, cpu = time.monotonic(), time.process_time()
    data = make(row, settings.seed, settings.examples, settings.noise)
    held = max(20, len(data.x) // 10)
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        model = Augmented(PointSum(), Peaks(SO3()))
    mu = model.distribution
    assert isinstance(mu, Peaks)
    seen = (data.x[:-held], data.y[:-held])
    fit(model, seen, steps=settings.steps, seed=settings.seed, progress=False, **RECIPE)
    few = [part[:SETTLED] for part in seen]
    settle(model, lambda out: (out - few[1]).abs(), few[0], lam=LAM)
    found = mu.named()
    ratio = unlearned(model, data, held)
    said = NOT_ENOUGH if ratio > UNLEARNED else found.symbol or "no group"
    off = farthest(row, data, found) if said == row.answer else None
    return {
        "found": said,
        "named": str(found),
        "right": said == row.answer and (off is None or off <= NEAR),
        "off": off,
        "overlap": found.overlap,
        "peaks": len(mu.peaks()[0]),
        "error": ratio,
        "seconds": time.monotonic() - start,
        "processor_seconds": time.process_time() - cpu,
    }


@torch.no_grad()
def unlearned(model: Augmented, data: Data, held: int) -> float:
    """The network's mean absolute error on held-out examples, in units of the median's.

    Near 1, the network has learned nothing that holds for new examples. Whether the target changes
    with a rotation is then unknown.
    """
    y = data.y[-held:]
    error = (model.model(data.x[-held:]) - y).abs().mean()
    return float(error / (y - data.y[:-held].median()).abs().mean())


def farthest(row: Row, data: Data, found: Named) -> float | None:
    """The largest angle (degrees) from an element of the true group to the nearest one found.

    For rotations about an axis, the angle between the axes. None for groups without a frame.
    """
    if row.symbol in ("C1", "SO3") or row.examples is not None:
        return None
    true = row.elements(data.frame)
    ours = found.elements
    if ours is None:
        axis = found.frame[:, 2] @ data.frame[:, 2]
        return degrees(float(axis.abs().clamp(max=1).acos()))
    return degrees(float(distance(true[:, None], ours).amin(1).max()))


def report(console: Console, folder: Path, results: list[dict[str, Any]]) -> None:
    """Print the table so far; write groups.md and groups.json."""
    rows = summarise(results)
    console.print(show(rows))
    content = {"facts": facts(recipe=RECIPE), "rows": rows, "runs": results}
    write(folder / "groups.json", content)
    write_markdown(folder / "groups.md", (COLUMNS, cells(rows)), after=total(rows))
