"""The figures of `throughput`: rates as bars, and cost against atoms, batch and copies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from ..report import save
from ..turns import Spread
from .tasks import MODES


def draw_models(results: dict[str, Any], reference: str, path: Path) -> Path:
    """Bars of each model's rate relative to the reference, with the range over rounds."""
    figure = Figure(figsize=(10, 1.6 + 0.35 * len(results)), layout="constrained")
    for axes, mode in zip(figure.subplots(1, 2), MODES, strict=True):
        key = f"rate_over_{reference}"
        rows = sorted(results.items(), key=lambda item: item[1][mode][key].median)
        names = [f"{name} ({_short(row['parameters'])})" for name, row in rows]
        values = [row[mode][key] for _, row in rows]
        colours = ["0.6" if name == reference else "C0" for name, _ in rows]
        axes.barh(names, [v.median for v in values], xerr=_errors(values), color=colours)
        for i, (_, row) in enumerate(rows):
            rate = row[mode]["molecules_per_s"].median
            axes.text(values[i].high, i, f"  {rate:,.0f}/s", va="center", fontsize=8)
        axes.margins(x=0.2)
        axes.set(title=mode, xlabel=f"rate relative to {reference}")
    return save(figure, path)


def draw_cost(results: dict[str, Any], path: Path) -> Path:
    """Time per molecule against its number of atoms, the batch size and the number of copies."""
    figure = Figure(figsize=(11, 8), layout="constrained")
    (left, right), (below, last) = figure.subplots(2, 2)
    for axes, mode in zip((left, right), MODES, strict=True):
        own = {(name, n): v for (name, m, n), v in results["atoms"].items() if m == mode}
        axes.set(xscale="log", yscale="log", xlabel="atoms", ylabel="ms per molecule", title=mode)
        _lines(axes, own)
    if "batch" in results:
        below.set(
            xscale="log", yscale="log", xlabel="molecules per batch", ylabel="ms per molecule"
        )
        below.set_title(f"{results['learned']}, against batch size")
        _lines(below, results["batch"])
        copies = results["copies"].items()
        title = f"{results['learned']}, against copies"
        last.set(xlabel="copies", ylabel="ms per molecule and copy", title=title)
        key = "ms_per_molecule_and_copy"
        _lines(last, {("training", int(n)): row[key] for n, row in copies})
        last.set_ylim(0, None)
    else:
        last.remove()
        below.remove()
    return save(figure, path)


def _lines(axes: Any, found: dict[Any, Spread]) -> None:
    """One line per name, with ticks at the measured sizes; keys are (name, size)."""
    for name in dict.fromkeys(name for name, _ in found):
        own = {size: value for (n, size), value in found.items() if n == name}
        middle, errors = [v.median for v in own.values()], _errors(list(own.values()))
        axes.errorbar(list(own), middle, yerr=errors, label=name, marker="o", capsize=2)
    sizes = sorted({size for _, size in found})
    axes.set_xticks(sizes, [str(n) for n in sizes])
    axes.set_xticks([], minor=True)
    axes.legend(frameon=False, fontsize=8)


def _errors(values: list[Spread]) -> list[list[float]]:
    return [[v.median - v.low for v in values], [v.high - v.median for v in values]]


def _short(parameters: int) -> str:
    return f"{parameters / 1e6:.2f} M" if parameters >= 1e5 else f"{parameters / 1e3:.0f} k"
