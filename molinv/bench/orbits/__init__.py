"""Rate and memory of the analysis of orientations, compared with the bare network.

Uses the test molecules of a shipped model or a run, and all orientations of the quadrature. `sweep`
rotates the molecules, runs the network, and accumulates means, variances and powers by degree. The
bare network is called equally often on the same batches as stored. Both are timed in turn, and
ratios are taken within a round. Then the largest resident size of a fresh process that sweeps once
is measured, for few and many molecules and orientations.

    molinv bench orbits                          1,000 molecules, degree 9: 380 orientations
    molinv bench orbits --molecules 64 --degree 3 --rounds 1

Writes orbits.json into the folder.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import Progress

from ...analysis.orbits import sweep
from ...analysis.runs import held_out, of_run
from ...analysis.subject import Structures, Subject
from ...datasets.batches import Batch
from ...quadrature import so3
from ..flags import positive
from ..memory import in_fresh_process, largest_size
from ..report import interval, table, write
from ..turns import Task, in_turn, ratios, spread, ticks


def main(
    out: str = "orbits",
    run: str = "qm9",
    molecules: int = 1000,
    degree: int = 9,
    rounds: int = 3,
    batch: int = 256,
) -> None:
    """Measure the rate and the memory of the analysis of orientations.

    Args:
        out: output folder.
        run: a run folder or the name of a shipped model.
        molecules: number of test molecules.
        degree: degree of the quadrature.
        rounds: number of timing rounds.
        batch: molecules per call of the network.
    """
    positive(molecules=molecules, rounds=rounds, batch=batch)
    subject, config, saved = of_run(run)
    structures = held_out(config, saved, molecules)
    count = len(so3(degree)[1])
    batches = []
    for index in structures.blocks(batch):
        pos, z = structures.batch(index)
        blank = torch.full((len(z), 1), torch.nan, dtype=torch.float64)
        batches.append(Batch(pos, z, blank, torch.arange(len(z))))
    tasks = {
        "network": Task(partial(_network, saved.network.model, count), batches),
        "sweep": Task(partial(_sweep, subject, degree), batches),
    }
    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("timing", total=ticks(tasks, rounds))
        seconds = in_turn(tasks, rounds, tick=lambda what: progress.advance(bar))
    rates = {n: spread([count / s for s in values]) for n, values in seconds.items()}
    share = ratios(seconds["network"], seconds["sweep"])
    sizes = [(batch, 3), (batch, degree), (molecules, degree)]
    memory = {s: in_fresh_process(_peak, run, *s, batch) for s in dict.fromkeys(sizes)}
    over = {"network": "1", "sweep": interval(share, ".3f")}
    rows = [(name, interval(r, ",.0f"), over[name]) for name, r in rates.items()]
    print(f"{molecules:,} molecules in {count} orientations each")
    columns = ("what", "molecules/s (lowest to highest)", "over the network")
    Console().print(table(columns, rows, left=range(3)))
    for (few, d), size in memory.items():
        text = "not measured" if size is None else f"{size:,.0f} MiB"
        many = f"degree {d} ({len(so3(d)[1])} orientations)"
        print(f"peak memory of {few:,} molecules, {many}: {text}")
    result = {
        "run": run,
        "molecules": molecules,
        "orientations": count,
        "threads": torch.get_num_threads(),
        "molecules_per_second": rates,
        "sweep_over_network": share,
        "peak_mib": {f"{m} molecules, degree {d}": v for (m, d), v in memory.items()},
    }
    print(f"wrote {write(Path(out) / 'orbits.json', result)}")


@torch.no_grad()
def _network(model: torch.nn.Module, count: int, batch: Batch) -> None:
    for _ in range(count):
        model(*model.inputs(batch))  # pyright: ignore[reportCallIssue]


def _sweep(subject: Subject, degree: int, batch: Batch) -> None:
    sizes = batch.mask.sum(1).tolist()
    pos = [p[:n] for p, n in zip(batch.pos, sizes, strict=True)]
    z = [x[:n] for x, n in zip(batch.z, sizes, strict=True)]
    sweep(subject, Structures(pos, z), degree, len(pos))


def _peak(run: str, molecules: int, degree: int, batch: int) -> int:
    """The largest resident size of a process that runs only one sweep."""
    subject, config, saved = of_run(run)
    sweep(subject, held_out(config, saved, molecules), degree, batch)
    return largest_size()
