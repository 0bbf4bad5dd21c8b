"""Make a shipped model from a finished run."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from ..chem.structure import KINDS
from ..errors import InputError
from ..prediction.evaluate import evaluate
from ..training import shipped
from ..training.config import read_config
from ..training.members import is_ensemble, load_model, read_members
from ..training.saved import Saved, evaluated, load, sealed, write_json
from ..training.source import prepare
from .card import megabytes
from .choose import looks_like_smiles

MOST_MB = 12
MEMBER = ("model.safetensors", "metrics.csv")  # intervals and errors belong to the ensemble
OTHERS = 3000  # molecules to calibrate the intervals of each other kind of geometry on


def ship(run: str | Path, name: str = shipped.DEFAULT) -> Path:
    """Copy the files that a run needs to predict, and its errors, to the shipped model `name`.

    First evaluates the run on all its test molecules, unless that was done with these weights.
    Replaces a shipped model of that name. Returns the folder. Raises InputError for a name that
    could be a SMILES, for weights that are not those of the best epoch, and for a model of more
    than 12 MB.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_-]*", name) or looks_like_smiles(name):
        raise InputError(
            f"cannot ship a model as {name!r}: expected a name such as qm9, of lower-case letters "
            "and digits, that is not a SMILES."
        )
    folder = Path(run)
    saved = load_model(folder)
    for part in _parts(folder):
        _check_best(part, load(part))
    result = evaluated(folder, saved.card)
    tests, kinds = saved.card["molecules"]["test"], (result or {}).get("intervals", {})
    if result is None or result["molecules"] != tests or not set(KINDS) <= set(kinds):
        smiles = prepare(read_config(folder / "config.yaml")).molecules.smiles
        embedded = OTHERS if any(smiles[:100]) else 0
        evaluate(folder, embedded=embedded, workers=os.cpu_count() or 1)
    target, made = shipped.ROOT / name, shipped.ROOT / f".{name}.part"
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(parents=True)
    try:
        _fill(made, folder)
        if load_model(made).card["sha256"] != saved.card["sha256"]:
            raise InputError(f"{folder} is still being written: ship it when its run has ended.")
        if (size := megabytes(made)) > MOST_MB:
            raise InputError(f"{folder} has {size:.1f} MB: expected at most {MOST_MB}.")
        _swap(made, target)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return target


def _parts(folder: Path) -> list[Path]:
    """The folders of an ensemble's members, or the folder of a single model."""
    if not is_ensemble(folder):
        return [folder]
    return [folder / member["folder"] for member in read_members(folder)[1]]


def _fill(made: Path, folder: Path, files: Sequence[str] = shipped.FILES) -> None:
    """Copy the run's files, without the paths of data and runs on this machine."""
    for part in _parts(folder):
        if part != folder:
            (made / part.name).mkdir()
            _fill(made / part.name, part, MEMBER)
    rewritten = ("model.json", "config.yaml")
    for name in files:
        if name not in rewritten and (folder / name).is_file():  # not all models have a domain
            # not shutil.copy: the new file gets the default permissions
            (made / name).write_bytes((folder / name).read_bytes())
    config = asdict(read_config(folder / "config.yaml"))
    data = Path(config["data"]).name
    if (folder / "model.json").is_file():  # an ensemble has one in each member's folder
        card: dict[str, Any] = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        write_json(made / "model.json", sealed(card | {"data": data}))
    config |= {"data": data, "out": f"runs/{folder.name}"}
    (made / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")


def _swap(made: Path, target: Path) -> None:
    """Replace `target` by `made`; `target` is missing only for a moment."""
    old = target.with_name(f".{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        os.replace(target, old)
    os.replace(made, target)
    shutil.rmtree(old, ignore_errors=True)


def _check_best(folder: Path, saved: Saved) -> None:
    """Raise InputError unless the weights are of the epoch with the lowest validation error."""
    standardizer = saved.standardizer
    weights = read_config(folder / "config.yaml").weights
    scales = {
        t.name: float(scale) / weights.get(t.name, 1.0)
        for t, scale in zip(standardizer.targets, standardizer.scale, strict=True)
        if weights.get(t.name, 1.0)
    }
    with (folder / "metrics.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))[1:]
    errors = {
        int(row["epoch"]): sum(float(row[f"{n}_stored"]) / float(scales[n]) for n in scales)
        for row in rows
    }
    best = min(errors, key=errors.__getitem__, default=None)
    epoch = saved.card["epoch"]
    # the run compared errors in float32 and kept the first of equal ones
    if best is None or errors.get(epoch, float("inf")) > errors[best] * (1 + 1e-6):
        raise InputError(
            f"the weights in {folder} are of epoch {epoch}, but the best epoch in metrics.csv is "
            f"{best}: ship it when its run has ended."
        )
