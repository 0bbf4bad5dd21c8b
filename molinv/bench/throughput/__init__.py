"""Speed of every model: rates, peak memory, cost against size, and the cost of sampling.

Everything is timed in turn in one run: a round measures each task once, and ratios are taken within
a round. The report has the median, lowest and highest round. Rates vary on a machine that does
other work, but ratios do not. There are three parts:

    models    molecules/s of a training step and of an inference pass, on batches of real
              molecules as in training, and the peak memory of a training step
    cost      time per molecule against its number of atoms (10 to 500 random atoms about as
              dense as QM9's; 400 atoms per batch, or one larger molecule), against the batch
              size, and against the number of copies; and the peak memory of a pass on one
              molecule. Copies share the optimizer's step, so many copies cost less each.
    sampling  fraction of a training step that is spent on sampling the group, acting on the
              coordinates, and propagating gradients back through both; and the ratio of the
              complete step to one with an Identity distribution, which needs no gradient of the
              coordinates

A model without built-in rotation symmetry trains with a learned UniformBox on SO(3), any other
without a distribution. A training step is the trainer's without Lightning; inference is one pass,
without averaging over rotations. canonical-all and canonical-one are point in its principal frames:
all four or one in training, always four in inference. faenet is the network without frames. visnet
needs about 5 GiB of memory at the default batch size.

    molinv bench throughput                               complete: some 25 minutes on one core
    molinv bench throughput --quick                       one short round, a check that it runs
    molinv bench throughput --models point,schnet --rounds 9
    molinv bench throughput --precision bf16-mixed        every model in that precision
    OMP_NUM_THREADS=1 molinv bench throughput             on one core

Writes throughput.json, models.png and cost.png into the folder.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from ...augment import Augmented
from ...datasets.batches import Batch
from ...errors import InputError, unknown
from ...models import too_large
from ...training.build import count_parameters
from ..batches import random_batch, real_batches
from ..flags import find_device, positive
from ..memory import peak_memory
from ..networks import choose, reference
from ..report import machine, write
from ..steps import PRECISIONS
from ..turns import in_turn, spread, ticks
from . import figures, results
from .tasks import Tasks


@dataclass(frozen=True)
class Plan:
    """Sizes and rounds of the measurement; each timing takes at least `least` seconds."""

    rounds: int = 5
    batches: int = 2
    least: float = 0.5
    atoms: tuple[int, ...] = (10, 25, 50, 100, 200, 500)
    large: tuple[int, ...] = (50, 200, 500)
    batch: tuple[int, ...] = (1, 8, 32, 128, 512)
    copies: tuple[int, ...] = (1, 2, 4, 8)


QUICK = Plan(1, 1, 0.0, (10, 50), (50,), (1, 32), (1, 2))


def main(
    out: str = "throughput",
    models: str | None = None,
    rounds: int | None = None,
    batch: int = 128,
    data: str = "qm9",
    device: str = "cpu",
    precision: str = PRECISIONS[0],
    quick: bool = False,
) -> None:
    """Measure speed and memory, print tables, and write them with figures.

    Args:
        out: output folder.
        models: names separated by commas, or package.module:Name; all models if not given. Ratios
            are relative to schnet, or to the first model if schnet is not among them.
        rounds: number of timing rounds; 5 if not given, 1 with quick.
        batch: molecules per batch.
        data: source of the molecules: qm9, or the folder of a data set.
        device: where to run: cpu, cuda.
        precision: precision of every model, as in training: 32-true, or bf16-mixed, which is slower
            on a processor without bfloat16 instructions.
        quick: one short round, a check that everything runs.
    """
    where, chosen = find_device(device), choose(models)
    if precision not in PRECISIONS:
        raise unknown("precision", precision, PRECISIONS)
    plan = QUICK if quick else Plan()
    rounds = plan.rounds if rounds is None else rounds
    positive(batch=batch, rounds=rounds)
    batches = real_batches(data, batch, plan.batches, where)
    networks = {n.name: n.build(where) for n in chosen}
    _check_sizes(networks, batches)
    curves = [n for n in chosen if not n.settings] or chosen  # variants would crowd the figure
    learned = next((n for n in chosen if list(networks[n.name].distribution.parameters())), None)
    tasks, base = Tasks(where, precision), reference(chosen)
    parts: dict[str, dict[Any, Any]] = {
        "models": tasks.models(networks, batches),
        "atoms": tasks.atoms({n.name: networks[n.name] for n in curves}, plan.atoms),
    }
    if learned is not None:
        parts["batch"] = tasks.batch(networks[learned.name], plan.batch)
        parts["copies"] = tasks.copies(learned, plan.copies)
        parts["sampling"] = tasks.sampling(learned, batches)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        total = len(chosen) + len(curves) * len(plan.large)
        bar = progress.add_task("", total=total + sum(ticks(p, rounds) for p in parts.values()))

        def tick(text: str) -> None:
            progress.update(bar, description=text, advance=1)

        peaks, large = {}, {}
        for n in chosen:
            tick(f"memory: {n.name}")
            peaks[n.name] = peak_memory(n, batches[-1], precision=precision)
        for n, atoms in product(curves, plan.large):
            tick(f"memory: {n.name}, {atoms} atoms")
            alone = random_batch(1, atoms, where)
            if (peak := peak_memory(n, alone, False, precision)) is not None:
                large[n.name, atoms] = spread([peak])
        seconds = {
            name: in_turn(part, rounds, plan.least, lambda text, name=name: tick(f"{name}: {text}"))
            for name, part in parts.items()
        }
    parameters = {n: count_parameters(network) for n, network in networks.items()}
    settings = {"batch": batch, "rounds": rounds, "data": data, "precision": precision}
    found: dict[str, Any] = {
        "machine": machine(where),
        "settings": settings | {"quick": quick},
        "reference": base,
        "learned": learned and learned.name,
        "models": results.models(seconds["models"], base, parameters, peaks),
        "atoms": results.curve(seconds["atoms"]),
        "memory": large,
    }
    if learned is not None:
        found["batch"] = results.curve(seconds["batch"])
        found["copies"] = results.copies(seconds["copies"])
        found["sampling"] = results.sampling(seconds["sampling"])
    _report(found, Path(out), Console())


def _check_sizes(networks: dict[str, Augmented], batches: list[Batch]) -> None:
    """Raises InputError if a batch has a larger molecule than a network accepts."""
    atoms = max(b.pos.shape[1] for b in batches)
    for name, network in networks.items():
        limit: int = network.model.max_atoms  # pyright: ignore[reportAssignmentType]
        if atoms > limit:
            raise InputError(too_large(name, limit, atoms))


def _report(found: dict[str, Any], folder: Path, console: Console) -> None:
    """Print the tables and write the three files."""
    for table in results.tables(found):
        console.print(table)
    facts = found["machine"] | {"precision": found["settings"]["precision"]}
    console.print(", ".join(f"{k} {v}" for k, v in facts.items()), highlight=False)
    path = write(folder / "throughput.json", found)
    drawn = figures.draw_models(found["models"], found["reference"], folder / "models.png")
    cost = figures.draw_cost(found, folder / "cost.png")
    console.print(f"wrote {path}, {drawn} and {cost}", highlight=False)
