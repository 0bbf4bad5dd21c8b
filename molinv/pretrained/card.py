"""A shipped model's card: what it is, how well it does, what it takes and how to use it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from rich.console import Group
from rich.table import Table
from rich.text import Text

from ..datasets.references import ATOMWISE
from ..prediction.acceptance import symbols
from ..prediction.evaluate import interval_table, table
from ..training.config import read_config
from ..training.saved import evaluated, load
from . import DEFAULT, FILES, find


def card(name: str) -> Group:
    """The card of the shipped model called `name`, to print with rich.

    Errors are mean absolute ones on the test molecules, in the target's unit. Raises InputError
    for a name that does not exist.
    """
    folder = find(name)
    facts = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    lines = Table.grid(padding=(0, 2))
    for what, text in _lines(name, folder, facts):
        lines.add_row(Text(what), Text(text))
    result = evaluated(folder, facts)
    if result is None:
        measured = [Text("not evaluated yet")]
    else:
        kinds = result.get("intervals", ())
        measured = [table(result), *(interval_table(result, kind, groups=False) for kind in kinds)]
    targets = load(folder).task.targets
    relative = [t.name for t in targets if t.atomwise]
    note = [Text(f"{', '.join(relative)}: {ATOMWISE}.")] if relative else []
    return Group(Text(name, style="bold"), lines, *measured, *note)


def megabytes(folder: Path) -> float:
    """The size of the model's files together, in MB of 10^6 bytes."""
    return sum((folder / name).stat().st_size for name in FILES if (folder / name).exists()) / 1e6


def _lines(name: str, folder: Path, facts: dict) -> list[tuple[str, str]]:
    build, sizes = facts["build"], facts["molecules"]
    settings = ", ".join(f"{k} {v}" for k, v in build["model_args"].items())
    extents = [
        f"{n} {e['value']:.3g} {e['unit']} (at most {e['cap']:.3g})"
        for n, e in facts["extents"].items()
    ]
    few, many = facts["atoms"]
    with (folder / "metrics.csv").open(newline="", encoding="utf-8") as file:
        last = list(csv.DictReader(file))[-1]
    minutes = float(last["seconds"]) / 60
    called = "" if name == DEFAULT else f"{name} "
    config = read_config(folder / "config.yaml")
    began = [("began as", f"an earlier model {config.init}")] if config.init else []
    features = [("features", config.features.replace(",", ", "))] if config.features else []
    each = "" if config.conformers == 1 else f", {config.conformers} embedded ones a molecule"
    shapes = [("geometries", config.geometries.replace(",", ", ") + each)] * bool(config.geometries)
    return [
        (
            "model",
            f"{build['model']}{f' ({settings})' if settings else ''}, {build['distribution']} on "
            f"{build['group']}, {facts['parameters']:,} parameters",
        ),
        (
            "trained",
            f"on {sizes['train']:,} molecules of {facts['data']} (split {facts['split']}, seed "
            f"{facts['seed']}), {minutes:.0f} minutes, {last['epoch']} epochs, of which the best, "
            f"{facts['epoch']}, is kept",
        ),
        *began,
        *shapes,
        *features,
        ("learned", ", ".join(extents) or "nothing: its distribution is fixed"),
        ("takes", f"{symbols(facts['elements'])}; trained on molecules of {few} to {many} atoms"),
        ("size", f"{megabytes(folder):.1f} MB, made with molinv {facts['molinv']}"),
        ("use", f'molinv predict {called}CCO, or Predictor("{name}") in Python'),
    ]
