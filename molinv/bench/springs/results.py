"""The table and the figure of `springs`: errors of each method, and what was learned."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from rich.table import Table

from ..report import over_seeds, save, table
from .system import DT, SYSTEMS

NONE, FULL, LEARNED, GIVEN = "none", "full", "learned", "true group"
METHODS = (NONE, FULL, LEARNED, GIVEN)
COLOURS = {NONE: "0.5", FULL: "C3", LEARNED: "C0", GIVEN: "C2"}
STYLES = {NONE: ":", FULL: "--", LEARNED: "-", GIVEN: "-."}
COLUMNS = ("system", "trajectories", "method", "acceleration error, %", "rollout error")
COLUMNS += ("floor", "learned tx, ty, tz; wx, wy, wz, by seed", "right")


def summarise(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row per system, size and method, with the numbers of its runs in their order."""
    rows = []
    for key in dict.fromkeys((r["system"], r["size"], r["method"]) for r in results):
        runs = [r for r in results if (r["system"], r["size"], r["method"]) == key]
        done = [r for r in runs if "error" in r]
        found = [r["learned"] for r in done if r["learned"]]
        rows.append(
            {
                **dict(zip(("system", "size", "method"), key, strict=True)),
                "error": [r["error"] for r in done],
                "rollout": [r["rollout"][-1] for r in done],
                "floor": [r["floor"] for r in done],
                "widths": [each["widths"] for each in found],
                "right": sum(each["right"] for each in found),
                "runs": len(runs),
            }
        )
    return sorted(rows, key=lambda row: (SYSTEMS.index(row["system"]), row["size"]))


def cells(rows: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """The rows as text; errors are means and standard deviations over seeds."""
    made = []
    for row in rows:
        learned = row["method"] == LEARNED
        percent = over_seeds([100 * error for error in row["error"]], none="diverged")
        numbers = (
            percent,
            *(over_seeds(row[key], ".3f", "diverged") for key in ("rollout", "floor")),
        )
        found = " / ".join(_widths(widths) for widths in row["widths"])
        right = f"{row['right']} of {row['runs']}" if learned else ""
        made.append((row["system"], str(row["size"]), row["method"], *numbers, found, right))
    return made


def show(rows: list[dict[str, Any]]) -> Table:
    """The rows as a table to print."""
    return table(COLUMNS, cells(rows), "Errors on new trajectories", left=(0, 2, 6))


def draw(path: Path, results: list[dict[str, Any]]) -> None:
    """Rollout error against time: a panel for each system and size, a line for each run."""
    systems = [name for name in SYSTEMS if any(r["system"] == name for r in results)]
    sizes = sorted({r["size"] for r in results})
    figure = Figure(figsize=(0.6 + 4.2 * len(sizes), 0.4 + 3 * len(systems)), layout="constrained")
    grid = len(systems), len(sizes)
    axes = figure.subplots(*grid, squeeze=False, sharex=True, sharey=True)
    for (system, size), ax in zip(product(systems, sizes), axes.flat, strict=True):
        for method in METHODS:
            runs = [r for r in results if (r["system"], r["size"]) == (system, size)]
            runs = [r for r in runs if r["method"] == method and "rollout" in r]
            for i, run in enumerate(runs):
                times = [DT * step for step in range(1, len(run["rollout"]))]
                form = {"color": COLOURS[method], "ls": STYLES[method], "lw": 1.2}
                label = None if i else method
                ax.plot(times, run["rollout"][1:], label=label, alpha=0.8, **form)
        ax.set(yscale="log", title=f"{system}, {size} trajectories")
        ax.grid(alpha=0.2)
    for ax in axes[-1]:
        ax.set_xlabel("time")
    for ax in axes[:, 0]:
        ax.set_ylabel("error, rest lengths")
    axes[-1, -1].legend(frameon=False, fontsize=8)
    save(figure, path)


def _widths(widths: list[float]) -> str:
    first, last = (", ".join(f"{w:.2f}" for w in part) for part in (widths[:3], widths[3:]))
    return f"{first}; {last}"
