"""The tables and pictures of `qm9-equal-time`."""

from __future__ import annotations

import csv
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator
from rich.table import Table

from .methods import Method

VIEWS = ("stored", "rotated")
COLOURS = {"learned": "C0", "fixed": "C2", "none": "0.55", "peer": "C3"}


def summarise(results: dict[Method, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """A row for each method that has a result: mean and spread (standard deviation) over seeds.

    The spread is None where there is one seed only. Diverged runs are counted in `failed`.
    """
    rows = []
    for method, runs in results.items():
        done = [run for run in runs if "failed" not in run]
        if not runs:
            continue
        row: dict[str, Any] = {
            "method": method.name,
            "kind": _kind(method),
            "seeds": len(done),
            "failed": len(runs) - len(done),
            "errors": {},
        }
        if done:
            row["parameters"] = done[0]["parameters"]
            row["seen"] = mean(run["seen"] for run in done)
            for target, entry in done[0]["targets"].items():
                row["errors"][target] = {"unit": entry["unit"]} | {
                    view: _spread([run["targets"][target][view] for run in done]) for view in VIEWS
                }
        rows.append(row)
    return rows


def show(rows: list[dict[str, Any]], minutes: float) -> Table:
    """The rows as a table to print."""
    made = Table(title=f"Mean absolute test error after {minutes:g} minutes of training each")
    made.add_column("method")
    for column in ("parameters", "molecules seen", "seeds"):
        made.add_column(column, justify="right")
    targets = {t: e["unit"] for row in rows for t, e in row["errors"].items()}
    for target, unit in list(targets.items())[:2]:
        for view in VIEWS:
            made.add_column(f"{target}, {view} ({unit})", justify="right")
    for row in rows:
        if not row["errors"]:
            made.add_row(row["method"], "", "", f"all {row['failed']} diverged")
            continue
        cells = [
            _text(*row["errors"][target][view]) for target in list(targets)[:2] for view in VIEWS
        ]
        seeds = f"{row['seeds']}" + (f" ({row['failed']} diverged)" if row["failed"] else "")
        made.add_row(row["method"], f"{row['parameters']:,}", f"{row['seen']:,.0f}", seeds, *cells)
    return made


def draw(folder: Path, methods: list[Method], rows: list[dict[str, Any]], seeds: int) -> list[Path]:
    """Write errors.png, a point a method, and curves.png, validation errors over the minutes."""
    made = [_draw_errors(folder, rows)]
    curves = {
        method: rows_of
        for method in methods
        if (rows_of := _history(folder / method.folder / "seed0" / "metrics.csv"))
    }
    return made + ([_draw_curves(folder, curves)] if curves else [])


def _draw_errors(folder: Path, rows: list[dict[str, Any]]) -> Path:
    done = [row for row in rows if row["errors"]][::-1]
    target, entry = next(iter(done[0]["errors"].items()))
    figure = Figure(figsize=(8, 1.2 + 0.32 * len(done)), layout="constrained")
    axes = figure.subplots()
    for y, row in enumerate(done):
        for view, marker in zip(VIEWS, ("o", "D"), strict=True):
            value, spread = row["errors"][target][view]
            axes.errorbar(
                value,
                y,
                xerr=spread,
                fmt=marker,
                color=COLOURS[row["kind"]],
                mfc=COLOURS[row["kind"]] if view == "stored" else "none",
                label=f"as {view}" if view == "stored" and y == 0 else view if y == 0 else None,
            )
    axes.set_yticks(range(len(done)), [row["method"] for row in done])
    axes.set(xscale="log", xlabel=f"{target}, mean absolute test error ({entry['unit']})")
    _label(axes.xaxis)
    axes.grid(axis="x", alpha=0.2)
    axes.legend(frameon=False)
    return _save(figure, folder / "errors.png")


def _draw_curves(folder: Path, curves: dict[Method, list[dict[str, str]]]) -> Path:
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    first = next(iter(curves.values()))[0]
    target = next(name for name in first if name.endswith("_rotated")).removesuffix("_rotated")
    for method, rows in curves.items():
        axes.plot(
            [float(row["train_seconds"]) / 60 for row in rows],
            [float(row[f"{target}_rotated"]) for row in rows],
            "-o" if method.learned else "--s",
            markersize=3,
            label=method.name,
        )
    axes.set(
        xlabel="minutes of training",
        ylabel=f"{target}, validation error, rotated (meV)",
        yscale="log",
    )
    _label(axes.yaxis)
    axes.grid(alpha=0.2)
    axes.legend(frameon=False, fontsize=7, ncols=2)
    return _save(figure, folder / "curves.png")


def _label(axis: Axis) -> None:
    """Numbers rather than powers of ten along a logarithmic axis, some within a decade."""
    axis.set_major_locator(LogLocator(subs=(1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_locator(NullLocator())


def _history(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    with path.open(newline="") as file:
        return [
            row for row in csv.DictReader(file) if row.get("train_seconds") and row["epoch"] != "0"
        ]


def _kind(method: Method) -> str:
    if not method.ours:
        return "peer"
    return "learned" if method.learned else "fixed" if "fixed" in method.over else "none"


def _spread(values: list[float]) -> tuple[float, float | None]:
    return mean(values), stdev(values) if len(values) > 1 else None


def _text(value: float, spread: float | None) -> str:
    return f"{value:.1f}" if spread is None else f"{value:.1f} +- {spread:.1f}"


def _save(figure: Figure, path: Path) -> Path:
    temporary = path.with_name(path.stem + ".part.png")
    figure.savefig(temporary, dpi=150)
    temporary.replace(path)
    return path
