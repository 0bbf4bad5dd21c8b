"""The tables and the figure of `smiles`."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from rich.table import Table

from ..report import save, table

COLUMNS = ("target", "method", "MAE", "RMSE", "MAE minus chemprop's", "p", "minutes", "seeds")


def tables(rows: list[dict[str, Any]]) -> list[Table]:
    """One table per set and split."""
    made = []
    for (name, split), group in groupby(rows, lambda row: (row["set"], row["split"])):
        cells = [_cells(row) for row in group]
        title = f"{name}, {split} split: test errors, mean +- standard error over seeds"
        made.append(table((*COLUMNS, "missing"), cells, title, left=(0, 1)))
    return made


def _cells(row: dict[str, Any]) -> list[str]:
    target = f"{row['target']} ({row['unit']})"
    if row.get("published"):
        return [target, row["method"], f"{row['mae'][0]:g}", *[""] * 4, "not measured here", ""]
    minus = row["minus"]
    gap = [""] * 2 if minus is None else [_text(minus["mean"], minus["error"], "+"), _p(minus["p"])]
    found = [_text(*row["mae"]), _text(*row["rmse"]), *gap]
    return [
        target,
        row["method"],
        *found,
        f"{row['minutes']:.2f}",
        f"{row['seeds']}",
        f"{row['missing']}" + (f", {row['diverged']} diverged" if row["diverged"] else ""),
    ]


def _text(value: float, error: float | None, sign: str = "") -> str:
    digits = 1 if abs(value) >= 20 or (sign and (error or 0) >= 1) else 3
    return f"{value:{sign}.{digits}f}" + ("" if error is None else f" +- {error:.{digits}f}")


def _p(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else "< 0.001"


def draw(folder: Path, rows: list[dict[str, Any]]) -> Path:
    """Draw errors.png: one panel per set, split and target; methods as lines, seeds as points."""
    panels = [list(g) for _, g in groupby(rows, lambda r: (r["set"], r["split"], r["target"]))]
    wide = min(2, len(panels))
    tall = -(-len(panels) // wide)
    most = max(len(panel) for panel in panels)
    figure = Figure(figsize=(6.5 * wide, tall * (1.1 + 0.3 * most)), layout="constrained")
    axes = figure.subplots(tall, wide, squeeze=False).flatten()
    for at, panel in zip(axes, panels, strict=False):
        for y, row in enumerate(reversed(panel)):
            colour = "C0" if row["method"].startswith("molinv") else "C3"
            value, error = row["mae"]
            hollow = "none" if row.get("published") else colour
            at.errorbar(value, y, xerr=error, fmt="D", color=colour, mfc=hollow, capsize=3)
            each = list(row.get("each", {}).values())
            at.plot(each, [y] * len(each), ".", color="0.5", ms=4, zorder=0)
        at.set_yticks(range(len(panel)), [row["method"] for row in reversed(panel)])
        first = panel[0]
        at.set_title(f"{first['set']}, {first['split']}", fontsize=9)
        at.set_xlabel(f"{first['target']}, mean absolute test error ({first['unit']})")
        at.set_ylim(-0.6, len(panel) - 0.4)
        at.grid(axis="x", alpha=0.2)
    for at in axes[len(panels) :]:
        at.set_axis_off()
    return save(figure, folder / "errors.png")
