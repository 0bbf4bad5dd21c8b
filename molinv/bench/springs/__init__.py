"""Learn which rigid motions the dynamics of springs have, and compare errors with and without it.

Three particles are joined by springs, in free space or in a uniform field along an axis that is not
an input. A network without symmetry predicts their accelerations from their positions. It is
trained alone, with a box on all of SE(3), with a learned box, and with the box of the true group,
which is derived in `system.py`. Errors are those of accelerations, and of positions when the
network's accelerations are integrated. The setting was chosen on seeds 0 and 1, which are not run.

After the spring experiment in the code of Benton et al. (NeurIPS 2020, arXiv 2010.11882). It learns
linear maps of the plane, for a network with translations built in.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from math import pi
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from rich.console import Console
from torch import Tensor

from ...actions import Vector
from ...augment import Augmented
from ...distributions import Distribution, Identity, UniformBox
from ...errors import InputError
from ...groups import SE3
from ...training.fit import fit
from .. import flags
from ..flags import listed, positive
from ..grid import Run, finish
from ..report import facts, wide, write, write_markdown
from .network import Accelerations
from .results import (
    COLUMNS,
    FULL,
    GIVEN,
    LEARNED,
    METHODS,
    NONE,
    cells,
    draw,
    show,
    summarise,
)
from .system import CAP, FIELD, PARTICLES, SYSTEMS, Springs, leapfrog, make, trajectories, truth

# the same for all runs
RECIPE: dict[str, Any] = {"lam": 0.2, "wait": 0.1, "batch_size": 128}
SEED = 11  # the first; smaller ones served to choose the setting
EVERY = 5  # steps between two training states of a trajectory
STEPS = 100  # of a trajectory
TESTED = 64  # test trajectories
OFF = 0.1  # fraction of the cap that a learned half-width may differ from the truth


@dataclass(frozen=True)
class Settings:
    """The settings of a run."""

    system: str = ""
    method: str = ""
    size: int = 0
    seed: int = 0
    steps: int = 0
    out: str = ""


def main(
    out: str = "springs",
    systems: str = ",".join(SYSTEMS),
    methods: str = ",".join(METHODS),
    sizes: str = "10,50",
    seeds: int = 3,
    steps: int = 1000,
) -> None:
    """Train every method on every system with every seed; print a table and draw a figure.

    Finished runs are skipped and an interrupted run, of less than a minute, is started again. So
    the same command finishes an interrupted benchmark. The table is printed after every run. In
    free space the true group is all of SE(3), so it has no runs of its own.

    Args:
        out: output folder.
        systems: free, field, or both separated by a comma.
        methods: none, full, learned, true group, separated by commas.
        sizes: numbers of training trajectories, separated by commas.
        seeds: runs of a method and size, which differ in the system, examples, initial weights
            and draws.
        steps: training steps per run.
    """
    positive(seeds=seeds, steps=steps)
    chosen, taken = listed(systems, "system", SYSTEMS), listed(methods, "method", METHODS)
    counts = flags.sizes(sizes)
    plan = [
        (system, method, size, seed)
        for size in counts
        for seed in range(SEED, SEED + seeds)
        for system in chosen
        for method in taken
        if system == FIELD or method != GIVEN
    ]
    if not plan:
        raise InputError(f"in free space, {GIVEN} is {FULL}: name {FULL}, or --systems {FIELD}.")

    def run(system: str, method: str, size: int, seed: int) -> Run:
        name = f"{system}-{method.replace(' ', '-')}-{size}-seed{seed}"
        settings = Settings(system, method, size, seed, steps, out)
        about = {"system": system, "method": method, "size": size, "seed": seed}
        path = Path(out) / "runs" / f"{name}.json"
        return Run(name, path, settings, partial(measure, settings), facts=about)

    console, results = wide(), []
    for result, due in finish((run(*each) for each in plan), len(plan), console):
        results.append(result)
        if due:
            report(console, Path(out), results)


def distribution(method: str, system: Springs) -> Distribution:
    """The method's distribution on SE(3)."""
    group = SE3("rest length", CAP)
    if method == NONE:
        return Identity(group)
    if method == FULL:
        return UniformBox(group, list(group.caps), learn=False)
    if method == GIVEN:
        widths = [max(width, 1e-6) for width in truth(system)]
        return UniformBox(group, widths, learn=False)
    return UniformBox(group, 0.05, reward="share")


def measure(settings: Settings) -> dict[str, Any]:
    """Train, and measure the errors of accelerations and of rollouts on new trajectories.

    `error` is the root mean square error of accelerations in units of their root mean square,
    `rollout` the median over trajectories of the distance from the true positions after each step.
    `floor` is the last entry of the rollout with true accelerations and the same steps.
    """
    start, cpu = time.monotonic(), time.process_time()
    system = make(settings.system, settings.seed)
    generator = torch.Generator().manual_seed(settings.seed)
    q, _ = trajectories(system, settings.size, STEPS, generator)
    tested, speeds = trajectories(system, TESTED, STEPS, generator)
    x, new = q[::EVERY].flatten(0, 1), tested[::EVERY].flatten(0, 1)
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        mu = distribution(settings.method, system)
        model = Augmented(Accelerations(PARTICLES), mu, output=Vector())
    data = (x.float(), system.acceleration(x).float())
    fit(model, data, steps=settings.steps, seed=settings.seed, progress=False, **RECIPE)
    true = system.acceleration(new)
    rolled = partial(distances, tested, speeds[0])
    error = (predicted(model, new) - true).square().mean() / true.square().mean()
    widths = [float(extent.value.detach()) for extent in mu.extent().values()]
    found = {"widths": widths, "right": right(widths, truth(system))}
    return {
        "error": float(error.sqrt()),
        "rollout": rolled(partial(predicted, model)).tolist(),
        "floor": float(rolled(system.acceleration)[-1]),
        "truth": truth(system),
        "learned": found if settings.method == LEARNED else None,
        "seconds": time.monotonic() - start,
        "processor_seconds": time.process_time() - cpu,
    }


@torch.no_grad()
def predicted(model: Augmented, q: Float[Tensor, "b n 3"]) -> Float[Tensor, "b n 3"]:
    """Accelerations by the mean over the model's distribution."""
    return model(q.float()).double()


def distances(
    true: Float[Tensor, "s b n 3"], v: Float[Tensor, "b n 3"], acceleration: Any
) -> Float[Tensor, " s"]:
    """Median over trajectories of the RMS distance of particles from their true positions."""
    q, _ = leapfrog(acceleration, true[0], v, len(true) - 1)
    off = (q - true).square().sum(-1).mean(-1).sqrt()
    return off.nan_to_num(torch.inf).median(1).values.clamp(max=1e6)  # JSON has no infinity


def right(widths: list[float], true: list[float]) -> bool:
    """Whether every half-width is the true one, within a tenth of its cap."""
    caps = [CAP] * 3 + [pi] * 3
    return all(abs(w - t) <= OFF * cap for w, t, cap in zip(widths, true, caps, strict=True))


def report(console: Console, folder: Path, results: list[dict[str, Any]]) -> None:
    """Print the table so far; write springs.md, springs.json and springs.png."""
    rows = summarise(results)
    console.print(show(rows))
    content = {"facts": facts(recipe=RECIPE), "rows": rows, "runs": results}
    write(folder / "springs.json", content)
    write_markdown(folder / "springs.md", (COLUMNS, cells(rows)))
    draw(folder / "springs.png", results)
