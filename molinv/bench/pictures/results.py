"""The picture experiments as a table, a figure and paired differences."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf, sqrt
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from matplotlib.figure import Figure
from rich.table import Table

from .. import report
from .tasks import METHODS, PictureTask


def table(rows: list[dict[str, Any]], tasks: list[PictureTask]) -> Table:
    """One row per task: the truth, each seed's half-width, and the metrics of all methods.

    Metrics are means over seeds, for pictures as stored / rotated once, both averaged over copies.
    """
    ways, made = [m for m in METHODS if any(row["method"] == m for row in rows)], []
    for task in tasks:
        own = _of(rows, task.name)
        learned = [row for row in own if row["method"] == "learned"]
        widths = " ".join(_number(task, row["half_width"]) for row in learned)
        met = f"{sum(bool(row['met']) for row in learned)} of {len(learned)}" if learned else ""
        cells = []
        for method in ways:
            errors = [row["errors"] for row in own if row["method"] == method]
            both = ("averaged", "rotated_averaged") if errors else ()
            cells.append(" / ".join(f"{mean(e[k] for e in errors):.3f}" for k in both))
        made.append((task.name, _truth(task), widths, met, *cells, own[0]["metric"]))
    columns = ("task", "truth", "learned, by seed", "met", *ways, "metric")
    title = "Learned half-widths (angles in degrees); averaged test metrics, stored / rotated"
    return report.table(columns, made, title, left=(0, len(columns) - 1))


def pairs(rows: list[dict[str, Any]], tasks: list[PictureTask]) -> Iterator[str]:
    """The metric of learned minus none, and minus fixed, over the seeds that both have.

    Pictures are as stored, and outputs are averaged. Differences are paired by seed, with Student's
    95 % interval.
    """
    from scipy.stats import t

    for task in tasks:
        own = _of(rows, task.name)
        by = {(r["method"], r["seed"]): r["errors"]["averaged"] for r in own}
        for other in ("none", "fixed"):
            gaps = [
                value - by[other, seed]
                for (method, seed), value in by.items()
                if method == "learned" and (other, seed) in by
            ]
            if len(gaps) > 1:
                half = t.ppf(0.975, len(gaps) - 1) * stdev(gaps) / sqrt(len(gaps))
                yield (
                    f"{task.name}: {own[0]['metric']}, learned - {other}: "
                    f"{mean(gaps):+.4f} +- {half:.4f} over {len(gaps)} seeds"
                )


def others(rows: list[dict[str, Any]], tasks: list[PictureTask]) -> Iterator[str]:
    """Learned half-widths without a known truth, by seed, in the groups' own units."""
    for task in tasks:
        learned = [row for row in _of(rows, task.name) if row["method"] == "learned"]
        names = [n for n in (learned[0]["extents"] if learned else ()) if n not in task.judged]
        if names:
            each = (" ".join(f"{row['extents'][n]:.3f}" for row in learned) for n in names)
            said = ", ".join(f"{n} {values}" for n, values in zip(names, each, strict=True))
            yield f"{task.name}, reported: {said}"


def figure(rows: list[dict[str, Any]], tasks: list[PictureTask], path: Path) -> Path:
    """Half-widths over training, one panel per task; truth dashed, right values shaded."""
    wide = min(4, len(tasks))
    tall = -(-len(tasks) // wide)
    made = Figure(figsize=(2.8 * wide + 0.6, 2.3 * tall + 0.4), layout="constrained")
    panels = made.subplots(tall, wide, squeeze=False).flatten()
    for panel, task in zip(panels, tasks, strict=False):
        if task.truth is not None or task.high < inf:
            panel.axhspan(task.low, min(task.high, 180.0), color="C2", alpha=0.15, lw=0)
        if task.truth is not None:
            panel.axhline(task.truth, color="C2", ls="--", lw=1)
        for row in _of(rows, task.name):
            if row["method"] == "learned":
                reach = [value for _, value in row["history"]]
                over = [i / (len(reach) - 1) for i in range(len(reach))]
                panel.plot(over, reach, color="C0", lw=1.2)
        panel.set_title(f"{task.name}: {task.what}", fontsize=8)
        if task.circle:
            panel.set(ylim=(0, 185), yticks=(0, 45, 90, 135, 180))
        panel.tick_params(labelsize=7)
    for panel in panels[len(tasks) :]:
        panel.set_axis_off()
    made.supxlabel("fraction of the epochs", fontsize=8)
    made.supylabel("learned half-width (circles in degrees)", fontsize=8)
    return report.save(made, path)


def _of(rows: list[dict[str, Any]], task: str) -> list[dict[str, Any]]:
    return [row for row in rows if row["task"] == task]


def shown(task: PictureTask, reach: float) -> str:
    """A half-width with its unit."""
    return f"{_number(task, reach)} degrees" if task.circle else _number(task, reach)


def _number(task: PictureTask, reach: float) -> str:
    return f"{reach:.1f}" if task.circle else f"{reach:.3f}"


def _truth(task: PictureTask) -> str:
    if task.truth is not None:
        return f"{task.truth:.0f}"
    return "" if task.high == inf else f"< {task.high:.0f}"
