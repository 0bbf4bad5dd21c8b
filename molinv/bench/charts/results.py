"""The table and the figure of `charts`: how far the energy strays along walks."""

from __future__ import annotations

from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from rich.table import Table

from ..report import over_seeds, save, table

PATHS = {
    "learned": ("learned level set", "#b2182b"),
    "harmonic": ("harmonic level set", "#2166ac"),
    "straight": ("straight line", "0.5"),
}
COLUMNS = ("path", "model's held-out MAE, meV", "mean stray, meV", "largest on a walk, mean, meV")
COLUMNS += ("largest on a walk, median, meV", "mean stray / MAE", "walks")


def summarise(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row per kind of path, with a value per seed; a straight line has no model."""
    errors = {"learned": "error", "harmonic": "harmonic_error"}
    rows = []
    for name in PATHS:
        strays = [np.abs(r["profiles"][name]) for r in results]
        key = errors.get(name)
        rows.append(
            {
                "path": name,
                "error": [r[key] for r in results] if key else [],
                "mean": [float(s.mean()) for s in strays],
                "largest": [float(s.max(1).mean()) for s in strays],
                "median": [float(np.median(s.max(1))) for s in strays],
                "walks": sum(len(s) for s in strays),
            }
        )
    return rows


def cells(rows: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """The rows as text, with means and standard deviations over seeds."""
    made = []
    for row in rows:
        ratio = f"{mean(row['mean']) / mean(row['error']):.1f}" if row["error"] else ""
        numbers = [over_seeds(row[key]) for key in ("error", "mean", "largest", "median")]
        made.append((PATHS[row["path"]][0], *numbers, ratio, str(row["walks"])))
    return made


def show(rows: list[dict[str, Any]]) -> Table:
    """The rows as a table to print."""
    return table(COLUMNS, cells(rows), "xTB's energy along walks, less that of their ends")


def draw(path: Path, results: list[dict[str, Any]]) -> Path:
    """The energy along every walk, a panel per kind of path; the band is the network's MAE."""
    figure = Figure(figsize=(10, 3.4), layout="constrained")
    error = mean(r["error"] for r in results)
    panels = figure.subplots(1, len(PATHS), sharey=True)
    for axes, (name, (title, colour)) in zip(panels, PATHS.items(), strict=True):
        for result in results:
            for stray in result["profiles"][name]:
                t = np.linspace(0, 1, len(stray) + 2)
                axes.plot(t, [0, *stray, 0], color=colour, lw=0.7, alpha=0.6)
        axes.axhspan(-error, error, color="0.85", zorder=0)
        axes.set(title=title, xlabel="fraction of the walk")
        axes.grid(alpha=0.2)
    panels[0].set_ylabel("xTB energy less the ends', meV")
    return save(figure, path)
