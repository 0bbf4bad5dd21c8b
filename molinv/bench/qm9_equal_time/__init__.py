"""Test errors of all methods and peers after equal training time on the same QM9 molecules."""

from __future__ import annotations

import json
import time
from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from ...chem import xtb
from ...prediction.evaluate import evaluate
from ...training.config import TrainConfig
from ...training.run import train
from ..flags import listed, positive
from ..grid import Run, finish, history
from ..networks import METHODS, Method
from ..peers import PEERS, Peer, PeerConfig
from ..peers import measure as measure_peer
from ..report import facts, wide, write
from .results import draw, show, summarise


def main(
    out: str = "qm9-equal-time",
    minutes: float | None = None,
    seeds: int = 3,
    molecules: int = 10_000,
    full: bool = False,
    methods: str | None = None,
    targets: str = "homo,lumo",
    batch_size: int = 32,
    test: int = 5_000,
    data: str = "qm9",
    precision: str = "32-true",
) -> None:
    """Train all methods for equal times, one after the other, and compare their test errors.

    In training and in the test, each molecule is moved by one group element per step. On a CPU,
    minutes are processor minutes: waiting for other programs does not count, and two threads use up
    a minute in half a minute. Other programs still slow a run down by filling the shared caches, so
    use an idle machine. Validation, testing and writing do not count. The learning rates are
    scheduled by this time. The epoch with the lowest validation error is tested. The table is
    printed after each run. The same command resumes an interrupted benchmark.

    molinv's methods share one recipe: Muon with AdamW, with molinv's default settings. The peers
    (TorchMD-NET, SchNetPack, MACE, GotenNet) train with the settings of their packages, each in its
    own environment, which is made on first use (some minutes and 1 to 2 GB each). "xTB labels"
    learns QM9's charges and GFN2-xTB's values of atoms beside the targets, "xTB inputs" takes
    GFN2-xTB's results as inputs; the time to compute them does not count. Raises InputError if
    the folder holds runs with other settings.

    Args:
        out: output folder.
        minutes: minutes of training per run; 5 if not given, 20 with --full.
        seeds: number of runs per method, with different splits, initial weights and group elements.
        molecules: number of training molecules.
        full: train on the complete training part, 110,000 molecules of QM9.
        methods: names of methods (see the table), separated by commas or semicolons; all if not
            given.
        targets: targets to learn; the table shows the first two.
        batch_size: molecules per step.
        test: number of test molecules.
        data: data set.
        precision: precision of molinv's networks: 32-true, bf16-mixed.
    """
    positive(seeds=seeds, test=test)
    chosen = choose(methods)
    budget = minutes if minutes is not None else 20.0 if full else 5.0
    console, folder = wide(160), Path(out)
    results: dict[Method | Peer, list[dict[str, Any]]] = {method: [] for method in chosen}
    shared = {
        "data": data,
        "targets": targets,
        "minutes": budget,
        "batch_size": batch_size,
        "train_size": None if full else molecules,
        "valid_size": 1000,
        "precision": precision,
    }
    plan = [(method, seed) for seed in range(seeds) for method in chosen]

    def run(method: Method | Peer, seed: int) -> Run:
        place = folder / method.folder / f"seed{seed}"
        if isinstance(method, Peer):
            names = ("data", "targets", "minutes", "train_size", "valid_size")
            own = {name: shared[name] for name in names}
            theirs = PeerConfig(peer=method.name, seed=seed, out=str(place), **own)
            work = partial(measure_peer, theirs, test, console)
            label = f"{method.name}, seed {seed}, {budget:g} minutes"
            return Run(label, place / "result.json", theirs, work, {"test": test})
        config = TrainConfig(**shared, **method.settings(), seed=seed, out=str(place))
        label = f"{method.name}, seed {seed}, {budget:g} minutes"
        work = partial(_measure, config, test)
        return Run(label, place / "result.json", config, work, {"test": test})

    runs = finish((run(*each) for each in plan), len(plan), console)
    for (method, _), (result, due) in zip(plan, runs, strict=True):
        results[method].append(result)
        if due:
            _report(console, folder, results, budget, precision)


def choose(names: str | None) -> list[Method | Peer]:
    """The methods with these names; raises InputError for an unknown name.

    Without names, all methods; those that need tblite are left out if it is not installed.
    """
    known: dict[str, Method | Peer] = {**METHODS, **PEERS}
    if names:
        return [known[n] for n in listed(names, "method", known)]
    return [m for m in known.values() if xtb.is_installed() or not getattr(m, "plus", "")]


def _measure(config: TrainConfig, test: int) -> dict[str, Any]:
    """Train a method, and measure its test errors."""
    now = time.monotonic if torch.accelerator.is_available() else time.process_time
    run = train(config, now=now)
    found = evaluate(run, copies=0, limit=test, trust=True)
    card = json.loads((run / "model.json").read_text(encoding="utf-8"))
    last = history(run)[-1]
    return {name: found[name] for name in ("targets", "extents", "molecules", "split")} | {
        "parameters": card["parameters"],
        "steps": int(last["step"]),
        "seen": int(last["step"]) * config.batch_size,
        "train_seconds": float(last["train_seconds"]),
    }


def _report(
    console: Console,
    folder: Path,
    results: dict[Method | Peer, list[dict[str, Any]]],
    minutes: float,
    precision: str,
) -> None:
    """Print the table of the finished runs, and write it with its figures."""
    rows = summarise(results)
    console.print(show(rows, minutes))
    found = facts(minutes=minutes, precision=precision)
    write(folder / "table.json", {"facts": found, "rows": rows})
    for picture in draw(folder, list(results), rows):
        console.print(f"wrote {picture}", highlight=False)
