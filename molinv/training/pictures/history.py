"""What a run on pictures keeps of itself: metrics.csv, and the model."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from rich.console import Console

from ..history import extents, write_csv
from .module import PictureJoint
from .saved import save
from .schedule import PictureSchedule


class PictureHistory(pl.Callback):
    """One row an epoch, in metrics.csv and on the screen; the model of the last epoch.

    The last and not the best on the pictures as stored: those say nothing of the extents, which
    come to rest as the run ends. Its rows live in the checkpoint, so that a run taken up again
    goes on where that was. Put it before a weight-averaging callback, so that it sees the
    averaged weights.
    """

    def __init__(
        self,
        folder: Path,
        config: dict[str, Any],
        facts: dict[str, Any],
        schedule: PictureSchedule,
    ):
        self.folder, self.config, self.facts, self.schedule = folder, config, facts, schedule
        self.rows: list[dict[str, float]] = []
        self.console = Console(stderr=True)
        self._before = 0.0

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows, "seconds": self._seconds()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows = state_dict["rows"]
        self._before = state_dict["seconds"]

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._start = time.monotonic()
        assert isinstance(pl_module, PictureJoint)
        if not self.rows:
            start = {"epoch": 0, "step": 0, "seconds": 0.0, "train_seconds": 0.0}
            self.rows.append(start | extents(pl_module))

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, PictureJoint)
        found = pl_module.measured()
        row = {
            "epoch": trainer.current_epoch + 1,
            "step": trainer.global_step,
            "seconds": round(self._seconds(), 2),
            "train_seconds": round(self.schedule.seconds, 2),
        }
        row |= {f"metric_{view}": value for view, value in found.items()}
        self.rows.append(row | extents(pl_module))
        if trainer.is_global_zero:
            self._export(pl_module, found, trainer.current_epoch + 1)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        for name in ("train/loss", "train/error_epoch"):
            self.rows[-1][name.removesuffix("_epoch").replace("/", "_")] = float(
                trainer.callback_metrics[name]
            )
        if trainer.is_global_zero:
            assert isinstance(pl_module, PictureJoint)
            write_csv(self.folder / "metrics.csv", self.rows)
            self.console.print(self._line(pl_module), highlight=False)

    def _export(self, module: PictureJoint, found: dict[str, float], epoch: int) -> None:
        facts = self.facts | {
            "epoch": epoch,
            "validation": {**found, "unit": module.task.unit},
            "extents": {
                name: {"value": float(e.value.detach()), "unit": e.unit, "cap": e.cap}
                for name, e in module.network.distribution.extent().items()
            },
        }
        save(self.folder, module.network.state_dict(), module.task, self.config, facts)

    def _line(self, module: PictureJoint) -> str:
        row, unit = self.rows[-1], module.task.unit
        seen = f"{row['metric_stored']:.4g} stored {row['metric_rotated']:.4g} turned"
        reach = [f"{n} {row[f'extent_{n}']:.2f}" for n in module.network.distribution.extent()]
        head = f"epoch {row['epoch']:>3}  loss {row['train_loss']:.3f}  {unit} {seen}"
        return f"{head}  {' '.join(reach)}  {row['seconds']:.0f} s"

    def _seconds(self) -> float:
        return self._before + time.monotonic() - getattr(self, "_start", time.monotonic())
