"""Averaging a hidden feature over a known group, beside averaging outputs, at equal time.

The data are dimers over Cu(100) (`molinv.datasets.surface`), whose energy does not change under
quarter turns about the normal. All methods have the same network, examples, initial weights and
processor minutes: without the group; with one drawn element an example and step, and the average of
outputs over the group in the test; with that average in training as well; and with the average of
the feature before the readout (`molinv.guaranteed`). An average over the group runs the network for
each element, so these methods take fewer steps.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from ...datasets import surface
from ...groups import PointGroup
from ...prediction.residuals import place, residuals
from ...training.config import TrainConfig, read_config
from ...training.members import load_model
from ...training.run import train
from ...training.source import prepare
from .. import flags
from ..flags import listed, positive
from ..grid import Run, finish, history
from ..payoff.finite_sets import SurfaceSet
from ..payoff.tasks import FIXED, GIVEN, NONE, SIZE
from ..report import facts, wide, write, write_markdown
from .results import COLUMNS, DRAWN, FEATURE, METHODS, OUTPUTS, cells, draw, show, summarise

NETWORK = "molinv.bench.integration.network:Averaged"
WHERE = {OUTPUTS: "outputs", FEATURE: "feature"}


def main(
    out: str = "integration",
    sizes: str = "100,300,1000,3000,10000",
    methods: str = ",".join(METHODS),
    seeds: int = 3,
    minutes: float = 1.0,
    examples: int = 12_500,
    atoms: int = 2,
) -> None:
    """Train every method on every number of clusters with every seed, and compare test errors.

    The data set is made first, by EMT in OUT/surface (a few minutes). On a CPU, minutes are
    processor minutes, so a run takes longer beside other programs but gets as far. The epoch with
    the least validation error is tested. Finished runs are skipped and an interrupted one is
    resumed, so the same command finishes an interrupted benchmark.

    Args:
        out: output folder.
        sizes: numbers of training clusters, separated by commas.
        methods: none, drawn elements, averaged outputs, averaged feature, separated by commas.
        seeds: runs a method and size, which differ in split, initial weights and draws.
        minutes: processor minutes of training per run.
        examples: clusters in the data set; a tenth is for validation and a tenth for the test.
        atoms: atoms of each cluster over the slab.
    """
    positive(seeds=seeds, examples=examples)
    chosen, counts = listed(methods, "method", METHODS), flags.sizes(sizes)
    folder, console = Path(out), wide(160)
    data = SurfaceSet(folder / "surface", surface.Settings(examples, atoms=atoms))
    data.make(0)
    plan = [(m, size, seed) for seed in range(seeds) for size in counts for m in chosen]

    def run(method: str, size: int, seed: int) -> Run:
        path = folder / "runs" / f"{method.replace(' ', '-')}-{size}-seed{seed}"
        chosen = configure(data, method, size, seed, minutes, path)
        about = {"method": method, "size": size, "seed": seed}
        work, test = partial(measure, chosen), {"labels": data.labels}
        return Run(path.name, path / "result.json", chosen, work, test, about)

    results = []
    for result, due in finish((run(*each) for each in plan), len(plan), console):
        results.append(result)
        if due:
            report(console, folder, results, minutes)


def configure(
    data: SurfaceSet, method: str, size: int, seed: int, minutes: float, out: Path
) -> TrainConfig:
    """The training settings; methods differ in the network's wrapper and the distribution alone."""
    base = data.config(GIVEN if method == DRAWN else NONE, size, seed, 1, out)
    chosen = asdict(base) | {"epochs": None, "minutes": minutes}
    if method in WHERE:
        own = SIZE | {"geometry": "absolute", "symbol": data.symbol, "over": WHERE[method]}
        chosen |= {"model": NETWORK, "model_args": own}
    return TrainConfig(**chosen)


def measure(config: TrainConfig) -> dict[str, Any]:
    """Train, then test in one pass, or averaged over the drawn elements' group."""
    run = train(config, now=time.process_time)
    saved = load_model(run, trust=True)
    source = prepare(read_config(run / "config.yaml"))  # pyright: ignore[reportArgumentType]
    store, test = place(saved, source.molecules, config), source.parts.test
    group = saved.network.distribution.group
    order = len(group.elements) if isinstance(group, PointGroup) else 0
    last = history(run)[-1]
    return {
        "error": residuals(saved, store, test, order).mae[0],
        "one pass": residuals(saved, store, test, 0).mae[0],
        "tested": len(test),
        "split": source.parts.hash,
        "steps": int(last["step"]),
        "epoch": saved.card["epoch"],
    }


def report(console: Console, folder: Path, results: list[dict[str, Any]], minutes: float) -> None:
    """Print the table so far; write it as table.json, table.md and integration.png."""
    rows = summarise(results)
    console.print(show(rows, minutes))
    write(folder / "table.json", {"facts": facts(minutes=minutes, fixed=FIXED), "rows": rows})
    write_markdown(folder / "table.md", (COLUMNS, cells(rows)))
    draw(folder / "integration.png", rows)
