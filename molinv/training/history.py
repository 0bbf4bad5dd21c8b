"""What a run keeps of itself: metrics.csv, and the best model so far."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning.pytorch as pl

from ..errors import InputError
from .data import VIEWS, MoleculeData
from .metrics_log import Row, Rows, extent_facts
from .module import Joint
from .orbit_share import MOLECULES, orbit_share
from .saved import save
from .schedule import Schedule


class History(Rows):
    """The errors of every epoch; the best model whenever it improves."""

    def __init__(
        self, folder: Path, config: dict[str, Any], facts: dict[str, Any], schedule: Schedule
    ):
        super().__init__(folder, config, facts, schedule)
        self.best = float("inf")

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"best": self.best, "data": self._data()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self.best = state_dict["best"]
        if state_dict.get("data", self._data()) != self._data():
            raise InputError(
                f"the data of the run in {self.folder} has changed since it began: its split "
                "would be another one; restore the file, or choose another --out."
            )

    def _data(self) -> dict[str, Any]:
        """What tells the data and its split."""
        return {name: self.facts.get(name) for name in ("split", "data_sha256", "molecules")}

    def measured(self, trainer: pl.Trainer, module: Joint) -> Row:
        found = module.measured()
        self._share = float(module.relative(found["stored"]))
        row = {
            f"{target.name}_{view}": value
            for view, values in found.items()
            for target, value in zip(module.targets, values.tolist(), strict=True)
        }
        return row | _orbit_share(trainer, module)

    def keep(self, module: Joint, row: Row) -> None:
        if not self._share < self.best:  # NaN is not the best
            return
        self.best = self._share
        facts = self.facts | {
            "epoch": row["epoch"],
            "validation": {
                t.name: {v: row[f"{t.name}_{v}"] for v in VIEWS} | {"unit": t.unit}
                for t in module.targets
            },
            "extents": extent_facts(module),
        }
        save(self.folder, module.network.state_dict(), module.standardizer, self.config, facts)

    def line(self, module: Joint) -> str:
        row, parts = self.rows[-1], []
        for t in module.targets[:3]:
            stored, rotated = row[f"{t.name}_stored"], row[f"{t.name}_rotated"]
            parts.append(f"{t.name} {stored:.4g} stored {rotated:.4g} rotated {t.unit}")
        return "  ".join(parts)


def _orbit_share(trainer: pl.Trainer, module: Joint) -> dict[str, float]:
    """Of the first validation molecules, on every process: too few to share out."""
    data = trainer.datamodule  # pyright: ignore[reportAttributeAccessIssue]
    assert isinstance(data, MoleculeData)
    batch = trainer.precision_plugin.convert_input(data.stored.gather(data.valid[:MOLECULES]))
    with trainer.precision_plugin.forward_context():
        return orbit_share(module, batch, data.config.seed)
