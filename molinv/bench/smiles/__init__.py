"""Compare molinv with chemprop 2 from SMILES: same molecules, same splits, same training time.

Data sets are FreeSolv and solubility, with random and scaffold splits, and QM9's HOMO, LUMO, gap
and U0. chemprop trains an ensemble with its own defaults and number of epochs, in a virtual
environment in molinv's cache; the first model of the ensemble is its single model. Each model of
molinv trains for as many seconds as one of chemprop's: from scratch, and fine-tuned from a shipped
model. On QM9 the shipped model is also tested without training, on molecules that it never saw.
Finished runs are skipped, so the same command finishes an interrupted benchmark.

    molinv bench smiles
    molinv bench smiles --sets freesolv --splits random --seeds 0 --ensemble 1
    molinv bench smiles --sets qm9 --full --seeds 0
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console

from ...training.members import load_model
from ...training.shipped import locate
from ..flags import listed, numbers, positive
from ..grid import finish
from ..report import facts, wide, write
from .cells import UNITS, write_rows
from .drawing import draw, tables
from .environment import environment
from .plan import PROGRAMS, SPLITS, Part, Plan
from .results import Results, crowded, failures, summarise

LOST = ("set", "split", "seed", "program", "smiles", "reason")


def main(
    out: str = "smiles",
    sets: str = "freesolv,solubility,qm9",
    splits: str = "random,scaffold",
    seeds: str = "0,1,2,3,4",
    only: str = "chemprop,molinv,init,shipped",
    ensemble: int = 5,
    train_size: int = 10_000,
    test: int = 2_000,
    full: bool = False,
    minutes: float | None = None,
    model: str = "qm9-smiles",
    init: str = "qm9-smiles",
    settings: dict[str, Any] | None = None,
    chemprop: str | None = None,
    accelerator: str = "cpu",
    quick: bool = False,
) -> None:
    """Train missing runs, print the tables, and write table.json, failures.csv and errors.png.

    Args:
        out: output folder.
        sets: some of freesolv, solubility, qm9, separated by commas.
        splits: some of random, scaffold; QM9 has the shipped model's split.
        seeds: whole numbers separated by commas; they change split, initial weights and noise.
        only: programs to run: chemprop, molinv (from scratch), init (molinv, fine-tuned from
            --init), shipped (--model without training, on QM9). Finished runs of the others are in
            the tables too.
        ensemble: models per program and seed. The tables have the first model and the mean of all.
        train_size: QM9 molecules to train on.
        test: QM9 molecules to test on.
        full: train on QM9's 110,000 training molecules and test on all test molecules.
        minutes: minutes of training per model of molinv; if not given, the time of one of
            chemprop's models.
        model: a shipped model, or the folder of a run on QM9, for `shipped` and for QM9's split.
        init: a shipped model, or the folder of a run, for `init`.
        settings: settings of molinv's training that differ from its defaults; init ignores those
            of the architecture.
        chemprop: virtual environment with chemprop 2 and datamol; made in the cache if not given.
        accelerator: Lightning's accelerator, for both programs: cpu, gpu.
        quick: 90 molecules and a few epochs, a check that everything runs.
    """
    positive(ensemble=ensemble, train_size=train_size, test=test)
    names, kinds = listed(sets, "set", UNITS), listed(splits, "split", SPLITS)
    chosen, each = listed(only, "program", PROGRAMS), numbers(seeds, "seed")
    for part, name in (("init", init), ("shipped", model)):
        if part in chosen:
            load_model(locate(name))  # fail now, not after hours
    console, folder = wide(160), Path(out)
    where = environment(chemprop, console)
    plan = Plan(
        out=folder,
        where=where,
        model=model,
        init=init,
        settings=settings or {},
        accelerator=accelerator,
        ensemble=ensemble,
        minutes=minutes,
        train_size=None if full else train_size,
        test=None if full else test,
        quick=quick,
    )
    parts: list[Part] = []
    for cell in plan.cells(names, kinds, each):
        if unreadable := plan.write(cell):
            console.print(f"{cell}: RDKit cannot read {', '.join(unreadable)}", highlight=False)
        parts += plan.parts(cell)
    wanted = [part for part in parts if part.program in chosen]
    runs = finish((plan.run(part) for part in wanted), len(wanted), console)
    for _, due in runs:
        if due:
            _report(console, plan, parts)


def _report(console: Console, plan: Plan, parts: list[Part]) -> None:
    """Print the tables so far, and write them with their figure."""
    results: Results = {}
    for part in parts:
        if (result := part.read()) is not None:
            results.setdefault(part.cell, {}).setdefault(part.program, []).append(result)
    rows, lost = summarise(results, plan.ensemble), failures(results)
    if not rows:
        return
    for table in tables(rows):
        console.print(table)
    write_rows(plan.out / "failures.csv", [LOST, *lost])
    if lost:
        console.print(f"{len(lost)} failures, with their reasons: {plan.out / 'failures.csv'}")
    if sentence := crowded(results):
        console.print(f"note: {sentence}", highlight=False)
    found = facts(**plan.where.decisive(), ensemble=plan.ensemble)
    write(plan.out / "table.json", {"facts": found, "rows": rows})
    console.print(f"wrote {draw(plan.out, rows)}", highlight=False)
