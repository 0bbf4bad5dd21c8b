"""The tables and figures of `qm9-equal-time`."""

from __future__ import annotations

from pathlib import Path
from statistics import mean, stdev
from typing import Any

from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator
from rich.table import Table

from ..grid import history
from ..networks import Method
from ..peers import Peer
from ..report import save, table

VIEWS = ("stored", "rotated")
COLOURS = {"learned": "C0", "fixed": "C2", "none": "0.55", "peer": "C3"}
KINDS = {
    "learned": "molinv, learned distribution",
    "fixed": "molinv, fixed distribution",
    "none": "molinv, no distribution",
    "peer": "another package",
}


def summarise(results: dict[Method | Peer, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """A row for each method that has a result: mean and standard deviation over seeds.

    The standard deviation is None for a single seed. `failed` counts the runs that diverged.
    """
    rows = []
    for method, runs in results.items():
        done = [run for run in runs if "failed" not in run]
        if not runs:
            continue
        row: dict[str, Any] = {"method": method.name, "kind": method.kind, "seeds": len(done)}
        row |= {"failed": len(runs) - len(done), "errors": {}}
        if done:
            row["parameters"] = done[0]["parameters"]
            row["seen"] = mean(run["seen"] for run in done)
            for target, entry in done[0]["targets"].items():
                each = {view: [run["targets"][target][view] for run in done] for view in VIEWS}
                row["errors"][target] = {"unit": entry["unit"]} | {
                    view: (mean(v), stdev(v) if len(v) > 1 else None) for view, v in each.items()
                }
        rows.append(row)
    return rows


def show(rows: list[dict[str, Any]], minutes: float) -> Table:
    """A table of the rows, to print."""
    targets = list({t: e["unit"] for row in rows for t, e in row["errors"].items()}.items())[:2]
    columns = ["method", "parameters", "molecules seen", "seeds"]
    columns += [f"{target}, {view} ({unit})" for target, unit in targets for view in VIEWS]
    made = []
    for row in rows:
        if not row["errors"]:
            made.append((row["method"], "", "", f"all {row['failed']} diverged"))
            continue
        cells = [_text(*row["errors"][target][view]) for target, _ in targets for view in VIEWS]
        seeds = f"{row['seeds']}" + (f" ({row['failed']} diverged)" if row["failed"] else "")
        made.append((row["method"], f"{row['parameters']:,}", f"{row['seen']:,.0f}", seeds, *cells))
    title = f"Mean absolute test error after {minutes:g} minutes of training"
    return table(columns, made, title)


def draw(folder: Path, methods: list[Method | Peer], rows: list[dict[str, Any]]) -> list[Path]:
    """Write errors.png, the test errors, and curves.png, the validation errors over time."""
    made = []
    if done := [row for row in rows if row["errors"]]:
        made.append(_draw_errors(folder, done))
    curves = {}
    for method in methods:
        found = history(folder / method.folder / "seed0")
        if found := [r for r in found if r.get("train_seconds") and r["epoch"] != "0"]:
            curves[method] = found
    return made + ([_draw_curves(folder, curves)] if curves else [])


def _draw_errors(folder: Path, rows: list[dict[str, Any]]) -> Path:
    """Draw the first target's errors, the lowest on top."""
    target, entry = next(iter(rows[0]["errors"].items()))
    rows = sorted(rows, key=lambda row: row["errors"][target]["rotated"][0], reverse=True)
    figure = Figure(figsize=(8, 1.8 + 0.32 * len(rows)), layout="constrained")
    axes = figure.subplots()
    for y, row in enumerate(rows):
        colour = COLOURS[row["kind"]]
        for view, marker, face in zip(VIEWS, "oD", (colour, "none"), strict=True):
            value, spread = row["errors"][target][view]
            axes.errorbar(value, y, xerr=spread, fmt=marker, color=colour, mfc=face)
    axes.set_yticks(range(len(rows)), [row["method"] for row in rows])
    axes.set(xscale="log", xlabel=f"{target}, mean absolute test error ({entry['unit']})")
    _label(axes.xaxis)
    axes.grid(axis="x", alpha=0.2)
    present = {row["kind"] for row in rows}
    marks = [("o", COLOURS[kind], KINDS[kind]) for kind in KINDS if kind in present]
    marks += [("o", "k", "as stored"), ("D", "none", "rotated")]
    for marker, face, label in marks:
        edge = "k" if face == "none" else face
        axes.plot([], [], marker, color=edge, mfc=face, label=label)
    figure.legend(frameon=False, loc="outside upper center", ncols=2)
    return save(figure, folder / "errors.png")


def _draw_curves(folder: Path, curves: dict[Method | Peer, list[dict[str, str]]]) -> Path:
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    first = next(iter(curves.values()))[0]
    target = next(name for name in first if name.endswith("_rotated")).removesuffix("_rotated")
    for method, rows in curves.items():
        minutes = [float(row["train_seconds"]) / 60 for row in rows]
        errors = [float(row[f"{target}_rotated"]) for row in rows]
        style = "-o" if method.kind == "learned" else "--s"
        axes.plot(minutes, errors, style, markersize=3, label=method.name)
    label = f"{target}, validation error, rotated (meV)"
    axes.set(xlabel="minutes of training", ylabel=label, yscale="log")
    _label(axes.yaxis)
    axes.grid(alpha=0.2)
    axes.legend(frameon=False, fontsize=7, ncols=2)
    return save(figure, folder / "curves.png")


def _label(axis: Axis) -> None:
    """Label a logarithmic axis with plain numbers, several per decade."""
    axis.set_major_locator(LogLocator(subs=(1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_locator(NullLocator())


def _text(value: float, spread: float | None) -> str:
    return f"{value:.1f}" if spread is None else f"{value:.1f} +- {spread:.1f}"
