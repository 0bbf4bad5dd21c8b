"""The table and the figure of `integration`: errors against the number of training clusters."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from rich.table import Table

from ..payoff.results import as_text, difference
from ..report import diverged, over_seeds, save, table

NONE, DRAWN = "none", "drawn elements"
OUTPUTS, FEATURE = "averaged outputs", "averaged feature"
METHODS = (NONE, DRAWN, OUTPUTS, FEATURE)
COLOURS = {NONE: "0.55", DRAWN: "C2", OUTPUTS: "C0", FEATURE: "C3"}
STYLES = {NONE: "s--", DRAWN: "^:", OUTPUTS: "o-", FEATURE: "D-."}
COLUMNS = ("training size", "method", "steps", "one pass, meV", "test error, meV")
COLUMNS += ("less that of averaged outputs, 95 %",)


def summarise(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row for each size and method: errors by seed, and the paired difference to outputs."""
    rows = []
    done = [r for r in results if "error" in r]
    lost = Counter((r["size"], r["method"]) for r in results if "failed" in r)
    for size in sorted({r["size"] for r in results}):
        errors = {
            m: {r["seed"]: r["error"] for r in done if (r["size"], r["method"]) == (size, m)}
            for m in METHODS
        }
        for method in METHODS:
            runs = [r for r in done if (r["size"], r["method"]) == (size, method)]
            minus = None if method == OUTPUTS else difference(errors[method], errors[OUTPUTS])
            if runs or lost[size, method]:
                row = {"size": size, "method": method, "errors": list(errors[method].values())}
                row |= {"one pass": [r["one pass"] for r in runs]}
                row |= {"steps": round(mean(r["steps"] for r in runs)) if runs else None}
                row |= {"failed": lost[size, method]}
                rows.append(row | {"minus": None if minus is None else minus._asdict()})
    return rows


def cells(rows: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """The rows as text; errors are means and standard deviations over seeds."""
    made = []
    for row in rows:
        said = row["method"] + diverged(row["failed"])
        steps = "" if row["steps"] is None else f"{row['steps']:,}"
        head = (f"{row['size']:,}", said, steps)
        made.append(
            (*head, over_seeds(row["one pass"]), over_seeds(row["errors"]), as_text(row["minus"]))
        )
    return made


def show(rows: list[dict[str, Any]], minutes: float) -> Table:
    """The rows as a table to print."""
    title = f"Mean absolute test error after {minutes:g} processor minutes of training"
    return table(COLUMNS, cells(rows), title, left=(1,))


def draw(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Error against training size, a line a method; bars are over seeds."""
    figure = Figure(figsize=(6, 4.2), layout="constrained")
    axes = figure.subplots()
    for method in METHODS:
        own = [row for row in rows if row["method"] == method and row["errors"]]
        if own:
            means = [mean(row["errors"]) for row in own]
            bars = [stdev(row["errors"]) if len(row["errors"]) > 1 else 0.0 for row in own]
            form = {"color": COLOURS[method], "fmt": STYLES[method], "ms": 5, "capsize": 2}
            axes.errorbar([row["size"] for row in own], means, yerr=bars, label=method, **form)
    axes.set(xscale="log", yscale="log", xlabel="training clusters")
    sizes = sorted({row["size"] for row in rows})
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.yaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_ylabel("mean absolute test error (meV)")
    axes.grid(alpha=0.2, which="both")
    axes.legend(frameon=False)
    return save(figure, path)
