"""A shipped model's card: its architecture, training, errors, inputs and use."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from rich.console import Group
from rich.table import Table
from rich.text import Text

from ..chem.structure import EMBEDDED
from ..datasets.references import ATOMWISE
from ..prediction.acceptance import symbols
from ..prediction.evaluate import interval_table, table
from ..training.config import read_config
from ..training.members import first_member, is_ensemble, load_model, read_members
from ..training.saved import evaluated
from ..training.shipped import BY_XTB, by_geometry
from . import DEFAULT, FILES, find


def card(name: str) -> Group:
    """The card of the shipped model called `name`, to print with rich.

    Errors are mean absolute errors on the test molecules, in each target's unit. Raises InputError
    for an unknown name.
    """
    folder = find(name)
    saved = load_model(folder)
    facts = saved.card
    lines = Table.grid(padding=(0, 2))
    for what, text in _lines(name, folder, facts):
        lines.add_row(Text(what), Text(text))
    result = evaluated(folder, facts)
    if result is None:
        measured = [Text("not evaluated yet")]
    else:
        kinds = result.get("intervals", ())
        measured = [table(result), *(interval_table(result, kind, groups=False) for kind in kinds)]
    targets = saved.task.targets
    relative = [t.name for t in targets if t.atomwise]
    note = [Text(f"{', '.join(relative)}: {ATOMWISE}.")] if relative else []
    return Group(Text(name, style="bold"), lines, *measured, *note)


def summary(name: str) -> list[str]:
    """Two lines on the shipped model called `name`: what it takes, and three test errors."""
    folder = find(name)
    facts = json.loads((first_member(folder) / "model.json").read_text(encoding="utf-8"))
    few, many = facts["atoms"]
    made = name == by_geometry(EMBEDDED)
    given = "RDKit's geometries (SMILES, InChI)" if made else "given 3-D coordinates"
    given += ", and tblite (molinv[xtb])" * (name == BY_XTB)
    taken = f"{given}; {symbols(facts['elements'])}; {few} to {many} atoms"
    path = folder / "evaluation.json"
    if not path.is_file():
        return [taken, "not evaluated yet"]
    rows = json.loads(path.read_text(encoding="utf-8"))["targets"]
    errors = [
        f"{target} {row.get('averaged', row['rotated']):.3g} {row['unit']}".rstrip()
        for target, row in islice(rows.items(), 3)
    ]
    more = f", ... ({len(rows)} targets)" if len(rows) > 3 else ""
    return [taken, f"test MAE: {', '.join(errors)}{more}"]


def megabytes(folder: Path) -> float:
    """The total size of a model's files, in MB (10^6 bytes)."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.name in FILES) / 1e6


def _lines(name: str, folder: Path, facts: dict) -> Iterator[tuple[str, str]]:
    members = [folder / m["folder"] for m in read_members(folder)[1]] if is_ensemble(folder) else []
    if members:
        yield "model", f"the mean of {len(members)}, {facts['parameters']:,} parameters"
    for k, part in enumerate(members or [folder], 1):
        for what, text in _of_one(part):
            yield f"{k}: {what}" if members else what, text
    few, many = facts["atoms"]
    called = "" if name == DEFAULT else f"{name} "
    yield "takes", f"{symbols(facts['elements'])}; trained on molecules of {few} to {many} atoms"
    yield "size", f"{megabytes(folder):.1f} MB, made with molinv {facts['molinv']}"
    yield "use", f'molinv predict {called}CCO, or Predictor("{name}") in Python'


def _of_one(folder: Path) -> Iterator[tuple[str, str]]:
    """Lines on a single model: its architecture, its training and what it learned."""
    facts = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    build, sizes = facts["build"], facts["molecules"]
    settings = ", ".join(f"{k} {v}" for k, v in build["model_args"].items())
    extents = [
        f"{n} {e['value']:.3g} {e['unit']} (at most {e['cap']:.3g})"
        for n, e in facts["extents"].items()
    ]
    with (folder / "metrics.csv").open(newline="", encoding="utf-8") as file:
        last = list(csv.DictReader(file))[-1]
    minutes = float(last["seconds"]) / 60
    config = read_config(folder / "config.yaml")
    yield (
        "model",
        f"{build['model']}{f' ({settings})' if settings else ''}, {build['distribution']} on "
        f"{build['group']}, {facts['parameters']:,} parameters",
    )
    yield (
        "trained",
        f"on {sizes['train']:,} molecules of {facts['data']} (split {facts['split']}, seed "
        f"{facts['seed']}), {minutes:.0f} minutes, {last['epoch']} epochs; the model is that of "
        f"the best epoch, {facts['epoch']}",
    )
    if config.init:
        yield "fine-tuned from", f"an earlier model {config.init}"
    if config.geometries:
        each = "" if config.conformers == 1 else f", {config.conformers} conformers per molecule"
        yield "geometries", config.geometries.replace(",", ", ") + each
    if config.features:
        yield "features", config.features.replace(",", ", ")
    learned = build["distribution"] != "Identity" and ", ".join(extents)
    yield "learned", learned or "nothing: its distribution is fixed"
