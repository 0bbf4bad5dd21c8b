"""Files of an evaluation: further measures, predictions beside true values, and a parity plot."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from ..atomic import atomic_write
from ..datasets.molecules import Molecules
from ..datasets.targets import Target
from .conformal import Ends
from .fields import columns
from .residuals import Residuals


def scores(
    truth: Float64[np.ndarray, " m"], found: Float64[np.ndarray, " m"]
) -> dict[str, float | None]:
    """Root mean square error, coefficient of determination R2 and Spearman's rank correlation.

    Over molecules with a true value. A score that is undefined, for example because all true values
    are equal, is None. Ties share their mean rank.
    """
    from scipy.stats import rankdata

    there = ~np.isnan(truth)
    truth, found = truth[there], found[there]
    square = float(np.mean((found - truth) ** 2)) if len(truth) else None
    made: dict[str, float | None] = dict.fromkeys(("rmse", "r2", "spearman"))
    if square is None:
        return made
    made["rmse"] = square**0.5
    if np.ptp(truth) > 0:
        made["r2"] = 1 - square / float(truth.var())
        if np.ptp(found) > 0:
            ranks = np.corrcoef(rankdata(truth), rankdata(found))
            made["spearman"] = float(ranks[0, 1])
    return made


def write_predictions(
    path: Path,
    molecules: Molecules,
    chosen: Int64[np.ndarray, " m"],
    targets: Sequence[Target],
    found: Residuals,
    ends: Ends | None,
) -> None:
    """Write a .csv with one row per chosen molecule: id, smiles, true and predicted values.

    The columns are those of `fields.columns`; a true value's have the ending `_true`. Atomwise
    energies, true and predicted, are relative to the atom references. `ends` are the ends of the
    intervals.
    """

    def rows() -> Iterable[dict[str, Any]]:
        for k, i in enumerate(chosen.tolist()):
            row = {"id": molecules.ids[i], "smiles": molecules.smiles[i]}
            for j, target in enumerate(targets):
                row |= _true(target, found.truth[k][j])
                both = None if ends is None else (float(ends.low[k, j]), float(ends.high[k, j]))
                row |= columns(target, found.found[k][j], ends=both)
            yield row

    _write(path, rows())


def _true(target: Target, value: np.ndarray) -> dict[str, Any]:
    """The columns of a true value; for classes the name of the class, None if not known."""
    if target.kind == "class":
        known = None if np.isnan(value).any() else target.classes[int(value.argmax())]
        return {f"{target.name}_true": known}
    made = columns(target, value)
    made.pop(f"{target.name}_unit")
    return {f"{name}_true": v for name, v in made.items()}


def draw_parity(path: Path, targets: Sequence[Target], found: Residuals) -> None:
    """Plot predictions against true values as a .png, one panel per target."""
    from matplotlib.figure import Figure

    across = min(len(targets), 4)
    down = -(-len(targets) // across)
    figure = Figure(figsize=(3.4 * across, 3.4 * down), layout="constrained")
    truth, values = np.stack(found.truth), np.stack(found.found)
    for j, target in enumerate(targets):
        axes = figure.add_subplot(down, across, j + 1)
        unit = f" ({target.unit})" if target.unit else ""
        name = target.name.replace("$", r"\$")
        axes.set(title=name, xlabel=f"true{unit}", ylabel=f"predicted{unit}")
        there = ~np.isnan(truth[:, j])
        x, y = truth[there, j], values[there, j]
        if not len(x):
            continue
        ends = min(x.min(), y.min()), max(x.max(), y.max())
        axes.plot(ends, ends, color="0.6", linewidth=1, zorder=0)
        axes.scatter(
            x,
            y,
            s=6 if len(x) > 50 else 25,
            alpha=0.4 if len(x) > 50 else 0.8,
            linewidths=0,
            color="tab:blue",
            rasterized=True,
        )
        axes.set_box_aspect(1)
        axes.locator_params(nbins=4)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)


def _write(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    with atomic_write(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = None
        for row in rows:
            if writer is None:
                writer = csv.DictWriter(file, list(row))
                writer.writeheader()
            writer.writerow(row)
