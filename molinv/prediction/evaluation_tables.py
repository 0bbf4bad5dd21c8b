"""An evaluation as tables for the screen."""

from __future__ import annotations

from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from ..datasets.geometries import EMBEDDED
from .conformal import CHOSEN_ON

COLUMNS = ("stored", "rotated", "averaged")
SCORES = {"rmse": ".4g", "r2": ".4f", "spearman": ".4f"}  # and how each is written


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
        parts = row.get("components")
        for label, found in ((name, row), (f"{name}, by component", parts)):
            if found is not None:
                gap = 100 * (found["rotated"] - found["stored"]) / found["stored"]
                values = [f"{found[c]:.4g}" for c in columns]
                made.add_row(label, row["unit"], *values, f"{gap:+.1f} %")
    return made


def metrics_table(result: dict[str, Any]) -> Table | None:
    """Further measures of numbers, in every view, as a table to print; None without any."""
    made = Table("target", "unit", "molecules")
    for column in ("RMSE", "R2", "Spearman"):
        made.add_column(column, justify="right")
    for name, row in result["targets"].items():
        for i, (view, found) in enumerate(row.get("metrics", {}).items()):
            cells = ("-" if found[k] is None else format(found[k], s) for k, s in SCORES.items())
            made.add_row(*("", "") if i else (name, row["unit"]), view, *cells)
        made.add_section()
    return made if made.row_count else None


def interval_table(result: dict[str, Any], kind: str) -> Group:
    """The intervals of one kind of geometry, from `evaluate`, and their caveats, to print."""
    held = result["intervals"][kind]
    what = "RDKit's geometries" if kind == EMBEDDED else "the data's own geometries"
    made = Table(
        title=f"{held['level']:.0%} prediction intervals on {what}: from "
        f"{held['calibrated_on']:,} held-out molecules, tried on {held['molecules']:,} test ones"
    )
    made.add_column("target")
    made.add_column("unit")
    for column in ("+-", "hold", "MAE"):
        made.add_column(column, justify="right")
    for name, row in held["targets"].items():
        unit = result["targets"][name]["unit"]
        made.add_row(
            name, unit, f"{row['half']:.4g}", f"{row['coverage']:.1%}", f"{row['mae']:.4g}"
        )
    said = [Text(text) for text in held.get("caveats", [CHOSEN_ON])]
    return Group(*[made] * bool(held["targets"]), *said)
