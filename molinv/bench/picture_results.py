"""The picture experiments as a table, a figure and paired differences."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf, sqrt
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from rich.table import Table

from .picture_tasks import METHODS, PictureTask


def table(rows: list[dict[str, Any]], tasks: list[PictureTask]) -> Table:
    """A row a task: the truth, each seed's half-width, and the metrics of all methods.

    Metrics are means over seeds of pictures as stored / turned once, both averaged over copies.
    """
    made = Table(
        title="Learned half-widths (angles in degrees), and test metrics: stored / turned, averaged"
    )
    for column in ("task", "truth", "learned, by seed", "met"):
        made.add_column(column, justify="left" if column == "task" else "right")
    ways = [m for m in METHODS if any(row["method"] == m for row in rows)]
    for method in ways:
        made.add_column(method, justify="right")
    made.add_column("metric")
    for task in tasks:
        own = _of(rows, task.name)
        learned = [row for row in own if row["method"] == "learned"]
        met = sum(bool(row["met"]) for row in learned)
        cells = [
            task.name,
            _truth(task),
            " ".join(_number(task, row["half_width"]) for row in learned),
            f"{met} of {len(learned)}" if learned else "",
        ]
        for method in ways:
            errors = [row["errors"] for row in own if row["method"] == method]
            if not errors:
                cells.append("")
                continue
            both = [mean(e[k] for e in errors) for k in ("averaged", "rotated_averaged")]
            cells.append(" / ".join(f"{value:.3f}" for value in both))
        made.add_row(*cells, own[0]["metric"])
    return made


def pairs(rows: list[dict[str, Any]], tasks: list[PictureTask]) -> Iterator[str]:
    """Learned less none and less fixed, over the seeds that both have, with 95 % intervals.

    Of the metric on pictures as stored, averaged. Student's interval of the paired differences.
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
    """The half-widths of learned runs that no truth is of, by seed, in the groups' own units."""
    for task in tasks:
        learned = [row for row in _of(rows, task.name) if row["method"] == "learned"]
        names = [n for n in (learned[0]["extents"] if learned else ()) if n not in task.judged]
        if names:
            said = []
            for name in names:
                each = (f"{row['extents'][name]:.3f}" for row in learned)
                said.append(f"{name} {' '.join(each)}")
            yield f"{task.name}, reported: {', '.join(said)}"


def figure(rows: list[dict[str, Any]], tasks: list[PictureTask], path: Path) -> Path:
    """Half-widths over training, a panel a task, the truth dashed and what meets it shaded."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

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
    made.supxlabel("share of the epochs that are over", fontsize=8)
    made.supylabel("learned half-width (of circles in degrees)", fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.stem + ".part.png")
    made.savefig(temporary, dpi=150)
    temporary.replace(path)
    return path


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
