"""Rate of the analysis' pass over orientations, against the bare network; and its memory.

A shipped model or a run, its test molecules, all orientations of the quadrature: `sweep`, which
turns the molecules, runs the network and keeps means, variances and powers by degree, against the
network alone called as often on the same batches as they are stored. Both in turn, round by round;
ratios are taken within a round. Then the largest resident size of a fresh process that sweeps once,
for few and many molecules and orientations.

    molinv bench orbits                          1,000 molecules, degree 9: 380 orientations
    molinv bench orbits --molecules 64 --degree 3 --rounds 1

Writes orbits.json into the folder.
"""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from ..analysis.analyse import orientations
from ..analysis.orbits import sweep
from ..analysis.runs import held_out, of_run
from ..analysis.subject import Structures, Subject
from ..datasets.batches import Batch
from ..errors import InputError
from ..training.saved import write_json
from .memory import largest_size
from .turns import Spread, Task, in_turn, ratios, spread, ticks


def main(
    out: str = "orbits",
    run: str = "qm9",
    molecules: int = 1000,
    degree: int = 9,
    rounds: int = 3,
    batch: int = 256,
) -> None:
    """Measure the pass over orientations.

    Args:
        out: folder for orbits.json.
        run: a run folder or the name of a shipped model.
        molecules: of its test molecules.
        degree: of the quadrature.
        rounds: how often each is timed.
        batch: molecules a call.
    """
    if molecules < 1 or rounds < 1 or batch < 1:
        raise InputError("expected at least one molecule, one round and a batch of one.")
    subject, config, saved = of_run(run)
    structures = held_out(config, saved, molecules)
    count = orientations(degree)
    blocks = [structures.batch(index) for index in structures.blocks(batch)]
    blank = [torch.full((len(z), 1), torch.nan, dtype=torch.float64) for _, z in blocks]
    batches = [
        Batch(pos, z, y, torch.arange(len(z))) for (pos, z), y in zip(blocks, blank, strict=True)
    ]
    tasks = {
        "network": Task(partial(_network, saved.network.model, count), batches),
        "sweep": Task(partial(_sweep, subject, degree), batches),
    }
    console = Console(stderr=True)
    with Progress(console=console, transient=True) as progress:
        bar = progress.add_task("timing", total=ticks(tasks, rounds))
        seconds = in_turn(tasks, rounds, 0.0, lambda what: progress.advance(bar))
    rates = {n: spread([count / s for s in values]) for n, values in seconds.items()}
    share = ratios(seconds["network"], seconds["sweep"])
    sizes = [(batch, 3), (batch, degree), (molecules, degree)]
    memory = {s: _in_fresh_process(run, *s, batch) for s in dict.fromkeys(sizes)}
    _show(rates, share, memory, molecules, count)
    result: dict[str, Any] = {
        "run": run,
        "molecules": molecules,
        "orientations": count,
        "threads": torch.get_num_threads(),
        "molecules_per_second": {name: value._asdict() for name, value in rates.items()},
        "sweep_over_network": share._asdict(),
        "peak_mib": {f"{m} molecules, degree {d}": v for (m, d), v in memory.items()},
    }
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "orbits.json", result)
    print(f"wrote {folder / 'orbits.json'}")


@torch.no_grad()
def _network(model: torch.nn.Module, count: int, batch: Batch) -> None:
    for _ in range(count):
        model(*model.inputs(batch))  # pyright: ignore[reportCallIssue]


def _sweep(subject: Subject, degree: int, batch: Batch) -> None:
    sizes = batch.mask.sum(1).tolist()
    pos = [p[:n] for p, n in zip(batch.pos, sizes, strict=True)]
    z = [x[:n] for x, n in zip(batch.z, sizes, strict=True)]
    sweep(subject, Structures(pos, z), degree, len(pos))


def _in_fresh_process(run: str, molecules: int, degree: int, batch: int) -> float:
    """The largest resident size in MiB of a process that does nothing but one sweep."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_peak, run, molecules, degree, batch).result() / 2**20


def _peak(run: str, molecules: int, degree: int, batch: int) -> int:
    subject, config, saved = of_run(run)
    sweep(subject, held_out(config, saved, molecules), degree, batch)
    return largest_size()


def _show(
    rates: dict[str, Spread],
    share: Spread,
    memory: dict[tuple[int, int], float],
    molecules: int,
    count: int,
) -> None:
    table = Table("what", "molecules/s (lowest to highest)", "over the network")
    for name, value in rates.items():
        ratio = f"{share.median:.3f} ({share.low:.3f} to {share.high:.3f})"
        text = f"{value.median:,.0f} ({value.low:,.0f} to {value.high:,.0f})"
        table.add_row(name, text, ratio if name == "sweep" else "1")
    console = Console()
    console.print(f"{molecules:,} molecules in {count} orientations each")
    console.print(table)
    for (few, degree), size in memory.items():
        console.print(
            f"peak memory of {few:,} molecules, degree {degree} ({orientations(degree)} "
            f"orientations): {size:,.0f} MiB"
        )
