"""One row an epoch: what runs on molecules and on pictures keep of themselves alike."""

from __future__ import annotations

import csv
import time
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from rich.console import Console

from ..atomic import atomic_write
from .schedule import Schedule

Row = dict[str, Any]


class Rows(pl.Callback):
    """One row an epoch, in metrics.csv and on the screen.

    Its rows live in the checkpoint, so that a run taken up again goes on where that was. `seconds`
    are all of the run's, `train_seconds` those without validation and writing; `epoch` counts the
    epochs that were begun. Put it before a weight-averaging callback, so that it sees the averaged
    weights. A subclass says what is `measured`, how that reads in a `line`, and keeps the model.
    """

    def __init__(
        self, folder: Path, config: dict[str, Any], facts: dict[str, Any], schedule: Schedule
    ):
        self.folder, self.config, self.facts, self.schedule = folder, config, facts, schedule
        self.rows: list[Row] = []
        self.console = Console(stderr=True)
        self._before = 0.0

    def measured(self, trainer: pl.Trainer, module: Any) -> Row:
        """The columns of this epoch's validation; called on every process."""
        raise NotImplementedError

    def keep(self, module: Any, row: Row) -> None:
        """Write the model, if this epoch's is the one to keep; called on the first process."""
        raise NotImplementedError

    def line(self, module: Any) -> str:
        """What the screen shows of the last row between the loss and the extents."""
        raise NotImplementedError

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows, "seconds": self._seconds()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows, self._before = state_dict["rows"], state_dict["seconds"]

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._start = time.monotonic()
        if not self.rows:
            start = {"epoch": 0, "step": 0, "seconds": 0.0, "train_seconds": 0.0}
            self.rows.append(start | extents(pl_module))

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        row = {
            "epoch": trainer.current_epoch + 1,
            "step": trainer.global_step,
            "seconds": round(self._seconds(), 2),
            "train_seconds": round(self.schedule.seconds, 2),
        }
        row |= self.measured(trainer, pl_module) | extents(pl_module)
        self.rows.append(row)
        if trainer.is_global_zero:
            self.keep(pl_module, row)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        for name in ("train/loss", "train/error_epoch"):
            self.rows[-1][name.removesuffix("_epoch").replace("/", "_")] = float(
                trainer.callback_metrics[name]
            )
        if trainer.is_global_zero:
            write_csv(self.folder / "metrics.csv", self.rows)
            row = self.rows[-1]
            extent = pl_module.network.distribution.extent()  # pyright: ignore
            reach = " ".join(f"{name} {row[f'extent_{name}']:.2f}" for name in extent)
            head = f"epoch {row['epoch']:>3}  loss {row['train_loss']:.3f}"
            text = f"{head}  {self.line(pl_module)}  {reach}  {row['seconds']:.0f} s"
            self.console.print(text, highlight=False)

    def _seconds(self) -> float:
        return self._before + time.monotonic() - getattr(self, "_start", time.monotonic())


def extents(module: Any) -> Row:
    """A row's columns for the extents of `module.network`'s distribution, and its coverage."""
    mu = module.network.distribution
    row = {f"extent_{name}": float(e.value.detach()) for name, e in mu.extent().items()}
    coverage = mu.coverage()
    return row if coverage is None else row | {"coverage": coverage}


def extent_facts(module: Any) -> dict[str, dict[str, Any]]:
    """What a model's card says of its extents: value, unit and cap of each."""
    return {
        name: {"value": float(e.value.detach()), "unit": e.unit, "cap": e.cap}
        for name, e in module.network.distribution.extent().items()
    }


def write_csv(path: Path, rows: list[Row]) -> None:
    """Write rows, all or none; absent values stay empty."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with atomic_write(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
