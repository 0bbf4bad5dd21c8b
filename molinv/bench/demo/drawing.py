"""The demo's picture: the distribution opening, and predictions beside QM9."""

from __future__ import annotations

import csv
from math import pi
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from ..report import save
from .known import Known


def draw(folder: Path, found: list[Known]) -> Path:
    """Write demo.png into the run folder."""
    figure = Figure(figsize=(9.6, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    with (folder / "metrics.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    epochs = [float(row["epoch"]) for row in rows]
    names = [name for name in rows[0] if name.startswith("extent_")]
    for i, name in enumerate(names):
        values = [float(row[name]) for row in rows]
        style = ("-", "--", ":")[i % 3]
        left.plot(epochs, values, style, lw=2, label=name.removeprefix("extent_"))
    left.axhline(pi, color="0.6", lw=1)
    left.text(0, pi, " every rotation (pi)", va="bottom", color="0.4", fontsize=8)
    left.set(xlabel="epoch", ylabel="learned half-width (rad)", ylim=(0, 3.5))
    left.set_title("The distribution over rotations opens", fontsize=10)
    left.legend(frameon=False, loc="lower right")
    at = np.arange(len(found))
    value = np.array([each.predicted["gap"] for each in found]) / 1000
    below = value - np.array([each.low["gap"] for each in found]) / 1000
    above = np.array([each.high["gap"] for each in found]) / 1000 - value
    truth = [each.truth["gap"] / 1000 for each in found]
    right.errorbar(at, value, [below, above], fmt="o", ms=4, capsize=3, label="shipped model, 90 %")
    right.plot(at, truth, "k_", ms=12, mew=2, label="QM9 (B3LYP)")
    right.set_xticks(at, [each.name for each in found], rotation=40, ha="right", fontsize=8)
    right.set(ylabel="HOMO-LUMO gap (eV)")
    right.set_title("Well-known molecules, from SMILES", fontsize=10)
    right.legend(frameon=False)
    return save(figure, folder / "demo.png")
