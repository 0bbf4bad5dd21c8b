"""The table of `groups`: what was found, by seed."""

from __future__ import annotations

from statistics import mean
from typing import Any

from rich.table import Table

from ..report import table

COLUMNS = ("task", "truth", "found", "right", "farthest element, degrees", "held-out error")
COLUMNS += ("seconds",)


def summarise(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row per task, with what its runs found in their order; a diverged run found nothing."""
    rows = []
    for name in dict.fromkeys(r["row"] for r in results):
        runs = [r for r in results if r["row"] == name]
        done = [r for r in runs if "found" in r]
        off = [r["off"] for r in done if r["off"] is not None]
        rows.append(
            {
                "task": name,
                "truth": runs[0]["truth"],
                "found": [r.get("found", "diverged") for r in runs],
                "right": sum(r["right"] for r in runs),
                "runs": len(runs),
                "off": max(off) if off else None,
                "error": mean(r["error"] for r in done) if done else None,
                "seconds": mean(r["seconds"] for r in done) if done else None,
            }
        )
    return rows


def cells(rows: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """The rows as text; answers with their number of runs, the most frequent first."""
    made = []
    for row in rows:
        counts = {f: row["found"].count(f) for f in dict.fromkeys(row["found"])}
        ordered = sorted(counts, key=lambda f: -counts[f])
        found = ", ".join(f"{f} ({counts[f]})" for f in ordered)
        numbers = [
            "" if row[key] is None else f"{row[key]:{form}}"
            for key, form in (("off", ".1f"), ("error", ".2f"), ("seconds", ".0f"))
        ]
        right = f"{row['right']} of {row['runs']}"
        made.append((row["task"], row["truth"], found, right, *numbers))
    return made


def total(rows: list[dict[str, Any]]) -> str:
    """The number of right runs, as text."""
    right, runs = (sum(row[key] for row in rows) for key in ("right", "runs"))
    return f"{right} of {runs} runs right"


def show(rows: list[dict[str, Any]]) -> Table:
    """The rows as a table to print."""
    return table(COLUMNS, cells(rows), "Groups found", total(rows), left=range(3))
