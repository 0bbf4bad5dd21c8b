"""Figures of a run: its errors and its extents over time."""

from __future__ import annotations

import csv
import json
from math import pi
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..atomic import atomic_write
from ..errors import InputError


def draw_curves(run: str | Path) -> list[Path]:
    """Draw loss.png and extents.png in a run folder, from its metrics.csv and model.json.

    Returns the paths. Raises InputError if there is no metrics.csv.
    """
    folder = Path(run)
    if not (folder / "metrics.csv").is_file():
        raise InputError(f"no history in {folder}: expected metrics.csv of a training run.")
    with (folder / "metrics.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [_draw_errors(folder, rows), _draw_extents(folder, rows)]


def _column(rows: list[dict[str, str]], name: str) -> tuple[list[float], list[float]]:
    there = [row for row in rows if row[name]]
    return [float(row["epoch"]) for row in there], [float(row[name]) for row in there]


def _draw_errors(folder: Path, rows: list[dict[str, str]]) -> Path:
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(*_column(rows, "train_error"), label="training, augmented")
    classes = _task(folder) == "classes"
    what = "log loss (nats)" if classes else "loss of standardised targets"
    left.set(xlabel="epoch", ylabel=f"{what}, without the reward", title="Loss")
    left.legend(frameon=False)
    names = [name.removesuffix("_stored") for name in rows[0] if name.endswith("_stored")]
    for i, name in enumerate(names[:6]):
        for view, style in (("stored", "-"), ("rotated", ":")):
            epochs, values = _column(rows, f"{name}_{view}")
            right.plot(epochs, values, style, color=f"C{i}", label=f"{name}, {view}")
    measure = next(iter(_units(folder)), "") if classes else "MAE in the target's unit"
    right.set(xlabel="epoch", ylabel=measure, title="Validation")
    right.legend(frameon=False, fontsize=8)
    for axes in (left, right):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        # a negative log-likelihood may be negative
        above = all((line.get_ydata() > 0).all() for line in axes.get_lines())  # pyright: ignore
        axes.set_yscale("log" if above and not classes else "linear")
    return _save(figure, folder / "loss.png")


def _card(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "model.json").read_text(encoding="utf-8"))


def _task(folder: Path) -> str:
    return _card(folder).get("task", {}).get("name", "numbers")


def _units(folder: Path) -> list[str]:
    return [row["unit"] for row in _card(folder)["validation"].values()]


def _draw_extents(folder: Path, rows: list[dict[str, str]]) -> Path:
    figure = Figure(figsize=(5, 3.6), layout="constrained")
    axes = figure.subplots()
    names = [name for name in rows[0] if name.startswith("extent_")]
    for i, name in enumerate(names):
        style = ("-", "--", ":")[i % 3]
        axes.plot(*_column(rows, name), style, label=name.removeprefix("extent_"), lw=2)
    units = list(dict.fromkeys(e["unit"] for e in _card(folder)["extents"].values()))
    if "rad" in units:
        axes.axhline(pi, color="0.6", lw=1)
        axes.text(0, pi, " all rotations (pi rad)", va="bottom", color="0.4", fontsize=8)
    axes.set(xlabel="epoch", ylabel=f"learned extent ({', '.join(units)})", ylim=(0, None))
    axes.set_title("What the model has learned to be invariant to", fontsize=10)
    axes.legend(frameon=False, loc="lower right")
    return _save(figure, folder / "extents.png")


def _save(figure: Figure, path: Path) -> Path:
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=150, format="png")
    return path
