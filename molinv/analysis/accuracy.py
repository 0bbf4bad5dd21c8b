"""Errors of a saved model on its test molecules: as stored, Haar-rotated, orbit-averaged."""

from __future__ import annotations

from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torchmetrics import MeanAbsoluteError

from ..datasets import load
from ..datasets.batches import Loader, OnDevice
from ..datasets.split import split
from ..errors import InputError
from ..training.build import place
from ..training.config import TrainConfig
from ..training.saved import Saved, write_json
from ..training.saved import load as load_saved

COLUMNS = ("stored", "rotated", "averaged")


def evaluate(
    run: str | Path, copies: int = 8, limit: int | None = None, trust: bool = False
) -> dict[str, Any]:
    """MAE per target of a run on its untouched test molecules, in the target's unit.

    "stored" as the data set has them, "rotated" each by one Haar-random rotation, "averaged"
    rotated and then averaged over `copies` elements of the learned distribution, left out where
    `copies` is 0. `limit` takes the first so many test molecules. Writes evaluation.json into
    the run folder. Raises InputError without a model, or where the data is no longer the same.
    """
    if limit is not None and limit < 1:
        raise InputError(f"expected a limit of at least 1 test molecule, got {limit}.")
    folder = Path(run)
    saved = load_saved(folder, trust)
    config = read_config(folder / "config.yaml")
    molecules = load(config.data)
    parts = split(len(molecules), config.seed, config.train_size)
    if parts.hash != saved.card["split"]:
        raise InputError(
            f"the split of {config.data} is {parts.hash}, but {folder} was trained on "
            f"{saved.card['split']}: the data has changed; train again."
        )
    test = parts.test[:limit]
    stored = place(molecules, config, "cpu")
    rotated = place(molecules, config, "cpu", rotate=True)
    found = {
        "stored": _errors(saved, stored, test, "as stored"),
        "rotated": _errors(saved, rotated, test, "rotated"),
    }
    if copies:
        found["averaged"] = _errors(saved, rotated, test, f"{copies} copies", copies)
    result = {
        "split": parts.hash,
        "sha256": saved.card["sha256"],
        "molecules": len(test),
        "copies": copies,
        "targets": {
            t.name: {"unit": t.unit} | {c: values[i] for c, values in found.items()}
            for i, t in enumerate(saved.standardizer.targets)
        },
        "extents": saved.card["extents"],
    }
    write_json(folder / "evaluation.json", result)
    return result


def read_config(path: Path) -> TrainConfig:
    """The settings of a run folder; raises InputError for a missing file or an unknown key."""
    if not path.is_file():
        raise InputError(f"no settings at {path}: expected the config.yaml of a run folder.")
    try:
        settings = dict(yaml.safe_load(path.read_text()))
    except (yaml.YAMLError, ValueError, TypeError) as error:
        raise InputError(f"{path} is damaged: expected the settings of a run.") from error
    known = asdict(TrainConfig())
    foreign = [name for name in settings if name not in known]
    if foreign:
        raise InputError(f"{path} has the unknown key {foreign[0]!r}; remove it or update molinv.")
    return TrainConfig(
        **{f.name: settings[f.name] for f in fields(TrainConfig) if f.name in settings}
    )


def table(result: dict[str, Any]) -> Table:
    """The result as a table to print."""
    made = Table(
        title=f"Mean absolute error on {result['molecules']:,} test molecules "
        f"(split {result['split']})"
    )
    made.add_column("target")
    made.add_column("unit")
    columns = [c for c in COLUMNS if all(c in row for row in result["targets"].values())]
    for column in (*columns, "rotated - stored"):
        made.add_column(column, justify="right")
    for name, row in result["targets"].items():
        gap = 100 * (row["rotated"] - row["stored"]) / row["stored"]
        values = [f"{row[c]:.4g}" for c in columns]
        made.add_row(name, row["unit"], *values, f"{gap:+.1f} %")
    return made


def _errors(
    saved: Saved, store: OnDevice, indices: np.ndarray, what: str, copies: int | None = None
) -> list[float]:
    metric = MeanAbsoluteError(num_outputs=len(saved.standardizer.targets))
    network, generator = saved.network, torch.Generator().manual_seed(0)
    batches = Loader(store, indices, 256, shuffle=False)
    for batch in track(batches, what, console=Console(stderr=True), transient=True):
        inputs = network.model.inputs(batch)  # pyright: ignore[reportCallIssue]
        orbit = "identity" if copies is None else "learned"
        outputs = network.orbit(*inputs, orbit=orbit, copies=copies, generator=generator).mean
        truth = saved.standardizer.inverse(saved.standardizer(batch.y, batch.z))
        metric.update(saved.standardizer.inverse(outputs).float(), truth.float())
    return metric.compute().reshape(-1).tolist()
