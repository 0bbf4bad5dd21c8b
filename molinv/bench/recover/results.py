"""The table and the figure of `recover`: true and learned values."""

from __future__ import annotations

from pathlib import Path
from statistics import mean
from typing import Any

from matplotlib.figure import Figure
from rich.table import Table

from ..report import save, table

COLUMNS = ("task", "recipe", "what", "truth", "learned, by seed", "right", "seconds")
_RIGHT, _WRONG = "C0", "C3"


def summarise(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row per task, recipe and truth, with the learned values in the order of the runs.

    `right` is the number of runs whose truths all hold, the same in all rows of a task. A diverged
    run is counted in `runs` and has no learned values.
    """
    rows = []
    for key in dict.fromkeys((r["row"], r["recipe"]) for r in results):
        runs = [r for r in results if (r["row"], r["recipe"]) == key]
        done = [r for r in runs if r["truths"]]
        shared = {"task": key[0], "recipe": key[1], "right": sum(r["right"] for r in runs)}
        seconds = mean(r["seconds"] for r in done) if done else None
        shared |= {"runs": len(runs), "seconds": seconds}
        names = list(dict.fromkeys(t["name"] for r in done for t in r["truths"])) or ["diverged"]
        for name in names:
            found = [t for r in done for t in r["truths"] if t["name"] == name]
            own = {"name": name, "unit": found[0]["unit"] if found else ""}
            for column in ("truth", "tolerance", "learned"):
                own[column] = [t[column] for t in found]
            rows.append(shared | own | {"holds": [t["right"] for t in found]})
    return rows


def cells(rows: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """The rows as text; only a task's first row has its name, recipe, count and time."""
    made, before = [], None
    for row in rows:
        first = (row["task"], row["recipe"]) != before
        before = row["task"], row["recipe"]
        truths = ", ".join(f"{t:.3g}" for t in dict.fromkeys(row["truth"]))
        pairs = zip(row["learned"], row["holds"], strict=True)
        learned = ", ".join(f"{value:.2f}" + ("" if holds else " x") for value, holds in pairs)
        names = (row["task"], row["recipe"]) if first else ("", "")
        seconds = "" if row["seconds"] is None else f"{row['seconds']:.0f}"
        end = (f"{row['right']} of {row['runs']}", seconds) if first else ("", "")
        made.append((*names, row["name"], f"{truths} {row['unit']}".strip(), learned, *end))
    return made


def totals(rows: list[dict[str, Any]]) -> str:
    """The number of right runs of each recipe, as text."""
    parts = []
    for recipe in dict.fromkeys(row["recipe"] for row in rows):
        once = {r["task"]: (r["right"], r["runs"]) for r in rows if r["recipe"] == recipe}
        right, runs = (sum(pair[i] for pair in once.values()) for i in (0, 1))
        parts.append(f"{recipe}: {right} of {runs} runs right ({right / runs:.0%})")
    return "; ".join(parts)


def show(rows: list[dict[str, Any]]) -> Table:
    """The rows as a table to print; x marks wrong values."""
    title = "True and learned values (x: wrong)"
    return table(COLUMNS, cells(rows), title, totals(rows), left=range(3))


def draw(path: Path, rows: list[dict[str, Any]]) -> None:
    """Draw one line per truth, with the learned values as points.

    The scale is (learned - truth) / tolerance, so right values are in the band from -1 to 1; values
    beyond 4 are drawn at 4. Open points belong to the plain recipe.
    """
    labels = list(dict.fromkeys((row["task"], row["name"], row["unit"]) for row in rows))
    figure = Figure(figsize=(7, 1.4 + 0.24 * len(labels)), layout="constrained")
    axes = figure.subplots()
    axes.axvspan(-1, 1, color="0.92", zorder=0)
    axes.axvline(0, color="0.6", lw=0.8, zorder=1)
    for row in rows:
        y = labels.index((row["task"], row["name"], row["unit"]))
        found = (row[key] for key in ("truth", "tolerance", "learned", "holds"))
        for truth, tolerance, learned, holds in zip(*found, strict=True):
            off = max(-4.0, min(4.0, (learned - truth) / tolerance))
            colour = _RIGHT if holds else _WRONG
            face = "none" if row["recipe"] == "plain" else colour
            axes.plot(off, y, "o", ms=5, mec=colour, mfc=face, alpha=0.8)
    axes.set_yticks(range(len(labels)), [f"{task}: {name}" for task, name, _ in labels])
    axes.set(xlim=(-4.3, 4.3), xlabel="(learned - truth) / tolerance; open: the plain recipe")
    axes.invert_yaxis()
    axes.tick_params(axis="y", labelsize=7)
    save(figure, path)
