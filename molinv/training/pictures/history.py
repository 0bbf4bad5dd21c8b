"""What a run on pictures keeps of itself: metrics.csv, and the model."""

from __future__ import annotations

import lightning.pytorch as pl

from ..data import VIEWS
from ..metrics_log import Row, Rows, extent_facts
from .module import PictureJoint
from .saved import save


class PictureHistory(Rows):
    """The metric of every epoch; the model of the last epoch.

    The last and not the best on the pictures as stored: those say nothing of the extents, which
    come to rest as the run ends.
    """

    def measured(self, trainer: pl.Trainer, module: PictureJoint) -> Row:
        return {f"metric_{view}": value for view, value in module.measured().items()}

    def keep(self, module: PictureJoint, row: Row) -> None:
        found = {view: row[f"metric_{view}"] for view in VIEWS}
        facts = self.facts | {
            "epoch": row["epoch"],
            "validation": {**found, "unit": module.task.unit},
            "extents": extent_facts(module),
        }
        save(self.folder, module.network.state_dict(), module.task, self.config, facts)

    def line(self, module: PictureJoint) -> str:
        row = self.rows[-1]
        seen = f"{row['metric_stored']:.4g} stored {row['metric_rotated']:.4g} turned"
        return f"{module.task.unit} {seen}"
