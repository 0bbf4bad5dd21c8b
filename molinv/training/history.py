"""What a run keeps of itself: metrics.csv, and the best model so far."""

from __future__ import annotations

import csv
import time
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from rich.console import Console

from ..whole import whole
from .data import MoleculeData
from .module import Joint
from .orbit_share import MOLECULES, orbit_share
from .saved import save
from .schedule import Schedule


class History(pl.Callback):
    """One row an epoch, in metrics.csv and on the screen; the best model whenever it improves.

    Its rows live in the checkpoint, so that a run taken up again goes on where that was. `seconds`
    are all of the run's, `train_seconds` those without validation and writing; `epoch` counts the
    epochs that were begun. Put it before a weight-averaging callback, so that it sees the averaged
    weights.
    """

    def __init__(
        self, folder: Path, config: dict[str, Any], facts: dict[str, Any], schedule: Schedule
    ):
        self.folder, self.config, self.facts, self.schedule = folder, config, facts, schedule
        self.rows: list[dict[str, float]] = []
        self.best = float("inf")
        self.console = Console(stderr=True)
        self._before = 0.0

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows, "best": self.best, "seconds": self._seconds()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows, self.best = state_dict["rows"], state_dict["best"]
        self._before = state_dict["seconds"]

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._start = time.monotonic()
        assert isinstance(pl_module, Joint)
        if not self.rows:
            start = {"epoch": 0, "step": 0, "seconds": 0.0, "train_seconds": 0.0}
            self.rows.append(start | extents(pl_module))

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Joint)
        found = pl_module.measured()
        row = {
            "epoch": trainer.current_epoch + 1,
            "step": trainer.global_step,
            "seconds": round(self._seconds(), 2),
            "train_seconds": round(self.schedule.seconds, 2),
        }
        for view, values in found.items():
            for target, value in zip(pl_module.targets, values.tolist(), strict=True):
                row[f"{target.name}_{view}"] = value
        row |= _orbit_share(trainer, pl_module) | extents(pl_module)
        self.rows.append(row)
        share = float(pl_module.relative(found["stored"]))
        if trainer.is_global_zero and share < self.best:
            self.best = share
            self._export(pl_module, row)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        for name in ("train/loss", "train/error_epoch"):
            self.rows[-1][name.removesuffix("_epoch").replace("/", "_")] = float(
                trainer.callback_metrics[name]
            )
        if trainer.is_global_zero:
            assert isinstance(pl_module, Joint)
            write_csv(self.folder / "metrics.csv", self.rows)
            self.console.print(self._line(pl_module), highlight=False)

    def _export(self, module: Joint, row: dict[str, float]) -> None:
        facts = self.facts | {
            "epoch": row["epoch"],
            "validation": {
                t.name: {v: row[f"{t.name}_{v}"] for v in ("stored", "rotated")} | {"unit": t.unit}
                for t in module.targets
            },
            "extents": {
                name: {"value": float(e.value.detach()), "unit": e.unit, "cap": e.cap}
                for name, e in module.network.distribution.extent().items()
            },
        }
        save(self.folder, module.network.state_dict(), module.standardizer, self.config, facts)

    def _line(self, module: Joint) -> str:
        row = self.rows[-1]
        parts = [f"epoch {row['epoch']:>3}  loss {row['train_loss']:.3f}"]
        for t in module.targets[:3]:
            stored, rotated = row[f"{t.name}_stored"], row[f"{t.name}_rotated"]
            parts.append(f"{t.name} {stored:.4g} stored {rotated:.4g} rotated {t.unit}")
        reach = [f"{n} {row[f'extent_{n}']:.2f}" for n in module.network.distribution.extent()]
        parts.append(" ".join(reach))
        return "  ".join(parts) + f"  {row['seconds']:.0f} s"

    def _seconds(self) -> float:
        return self._before + time.monotonic() - getattr(self, "_start", time.monotonic())


def _orbit_share(trainer: pl.Trainer, module: Joint) -> dict[str, float]:
    """Of the first validation molecules, on every process: too few to share out."""
    data = trainer.datamodule  # pyright: ignore[reportAttributeAccessIssue]
    assert isinstance(data, MoleculeData)
    batch = data.stored.gather(data.valid[:MOLECULES])
    with trainer.precision_plugin.forward_context():
        return orbit_share(module, batch, data.config.seed)


def extents(module: Any) -> dict[str, float]:
    """A row's columns for the extents of `module.network`'s distribution, and its coverage."""
    mu = module.network.distribution
    row = {f"extent_{name}": float(e.value.detach()) for name, e in mu.extent().items()}
    coverage = mu.coverage()
    return row if coverage is None else row | {"coverage": coverage}


def write_csv(path: Path, rows: list[dict[str, float]]) -> None:
    """Write rows, all or none; absent values stay empty."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with whole(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
