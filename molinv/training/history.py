"""Record a run: one row per epoch in metrics.csv and on the screen, and the saved model."""

from __future__ import annotations

import csv
import time
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.utilities.exceptions import SIGTERMException

from ..atomic import atomic_write
from ..errors import InputError
from ..screen import messages
from .data import RunData
from .epoch_lines import EpochLines
from .module import VIEWS, Joint
from .saved import built, save
from .schedule import Schedule

Row = dict[str, Any]


class History(pl.Callback):
    """Writes a row per epoch to metrics.csv and the screen, and saves the best or last model.

    The rows are also in the checkpoint, so that a resumed run continues from there. `seconds` is
    the total time of the run, and `train_seconds` the time without validation and writing. `epoch`
    counts the epochs that have begun. This callback must come before a weight-averaging callback,
    so that it sees the averaged weights.

    It replaces Lightning's CSVLogger, which appends: after a resumed run, the rows of the
    interrupted epoch would be in the file twice.
    """

    def __init__(self, folder: Path, data: RunData, facts: dict[str, Any], schedule: Schedule):
        self.folder, self.data, self.facts, self.schedule = folder, data, facts, schedule
        self.rows: list[Row] = []
        self.best = float("inf")
        self.console = messages()
        self._before = 0.0
        self.printed = False  # whether this process has printed an epoch

    def state_dict(self) -> dict[str, Any]:
        kept = {"rows": self.rows, "seconds": self._seconds(), "best": self.best}
        return kept | {"data": self.data.identity}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows, self._before = state_dict["rows"], state_dict["seconds"]
        self.best = state_dict.get("best", self.best)
        if state_dict.get("data", self.data.identity) != self.data.identity:
            raise InputError(
                f"the data of the run in {self.folder} has changed since it began, which would "
                "change its split: restore the file, or choose another --out."
            )

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._start = time.monotonic()
        if not self.rows:
            start = {"epoch": 0, "step": 0, "seconds": 0.0, "train_seconds": 0.0}
            self.rows.append(start | extents(pl_module))

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Joint)
        row: Row = {
            "epoch": trainer.current_epoch + 1,
            "step": trainer.global_step,
            "seconds": round(self._seconds(), 2),
            "train_seconds": round(self.schedule.seconds, 2),
        }
        found = pl_module.measured()
        for view, (values, _) in found.items():
            columns = zip(pl_module.task.columns, values.tolist(), strict=True)
            row |= {f"{name}_{view}": value for name, value in columns}
        row |= self.data.extra(trainer, pl_module) | extents(pl_module)
        self.rows.append(row)
        if trainer.is_global_zero:
            self._keep(pl_module, row, float(found["stored"][1]))

    def _keep(self, module: Joint, row: Row, error: float) -> None:
        """Save the model if this epoch is the best, or if the last epoch is to be saved."""
        if self.data.best and not error < self.best:  # NaN is not the best
            return
        self.best, task = error, module.task
        units = zip(task.columns, task.units, strict=True)
        facts = self.facts | {
            "epoch": row["epoch"],
            "validation": {
                name: {view: row[f"{name}_{view}"] for view in VIEWS} | {"unit": unit}
                for name, unit in units
            },
            "extents": {
                name: {"value": float(e.value.detach()), "unit": e.unit, "cap": e.cap}
                for name, e in module.network.distribution.extent().items()
            },
        }
        build = built(self.data.config, self.data.readout)
        save(self.folder, module.network, task, build, facts)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Joint)
        for name in ("train/loss", "train/error_epoch"):
            self.rows[-1][name.removesuffix("_epoch").replace("/", "_")] = float(
                trainer.callback_metrics[name]
            )
        if trainer.is_global_zero:
            write_csv(self.folder / "metrics.csv", self.rows)
            self._say(pl_module)

    def _say(self, module: Joint) -> None:
        """Print the last row, below a heading where it is the first of this process."""
        mu = module.network.distribution
        learned = any(p.requires_grad for p in mu.parameters())
        units = {name: e.unit for name, e in mu.extent().items()} if learned else {}
        lines = EpochLines(module.task.columns, module.task.units, units)
        said = [lines.line(self.rows[-1])]
        if not self.printed:
            said, self.printed = [lines.heading(), *said], True
        self.console.print("\n".join(said), highlight=False, markup=False, soft_wrap=True)

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Save a checkpoint on SIGTERM. Lightning stops between two batches, so it is complete."""
        if isinstance(exception, SIGTERMException):
            trainer.save_checkpoint(self.folder / "checkpoints" / "last.ckpt")

    def _seconds(self) -> float:
        return self._before + time.monotonic() - getattr(self, "_start", time.monotonic())


def extents(module: Any) -> Row:
    """The columns of a row with the extents and the coverage of the network's distribution."""
    mu = module.network.distribution
    row = {f"extent_{name}": float(e.value.detach()) for name, e in mu.extent().items()}
    coverage = mu.coverage()
    return row if coverage is None else row | {"coverage": coverage}


def write_csv(path: Path, rows: list[Row]) -> None:
    """Write rows as a .csv file, atomically; missing values are empty cells."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with atomic_write(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
