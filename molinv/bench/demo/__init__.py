"""The main job in minutes: train on real QM9, watch the extents open, predict molecules.

A point transformer with no symmetry built in trains on 5,000 molecules together with a
distribution over rotations that starts at 0.05 rad. Then the shipped model predicts molecules
that every chemist knows, beside QM9's values.
"""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from ...prediction.evaluate import evaluate
from ...prediction.evaluate import table as accuracy_table
from ...training.config import TrainConfig
from ...training.curves import draw_curves
from ...training.run import train
from .drawing import draw
from .known import known_molecules, known_table

CONFIG = TrainConfig(targets="homo,lumo,gap", train_size=5000, epochs=24)


def main(out: str = "demo") -> None:
    """Train, evaluate, predict and draw in the folder `out`."""
    console, config = Console(highlight=False), replace(CONFIG, out=out)
    console.print(
        f"Training {config.model}, a network without built-in symmetry, on "
        f"{config.train_size:,} molecules of QM9, jointly with a distribution over "
        f"rotations ({config.distribution} on {config.group})."
    )
    folder = train(config)
    result = evaluate(folder)
    console.print(accuracy_table(result))
    console.print("\n".join(opening(folder, result)))
    found = known_molecules()
    console.print()
    console.print(known_table(found))
    loss, _ = draw_curves(folder)
    console.print(f"\nThe pictures: {draw(folder, found)}\n              {loss}")


def opening(folder: Path, result: dict[str, Any]) -> list[str]:
    """How far the distribution opened, a line for each extent."""
    with (folder / "metrics.csv").open(newline="", encoding="utf-8") as file:
        first = next(csv.DictReader(file))
    lines = ["", "Learned half-widths of the distribution (3.14 rad is every rotation):"]
    for name, extent in result["extents"].items():
        start, end, cap = float(first[f"extent_{name}"]), extent["value"], extent["cap"]
        bar = "#" * max(1, round(40 * end / cap))
        lines.append(f"  {name}  {start:.2f} -> {end:.2f} {extent['unit']}  |{bar:<40}|")
    return lines
