"""Scores of class probabilities: ranking, accuracy and calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64
from torchmetrics.functional.classification import (
    binary_auroc,
    binary_average_precision,
    multiclass_auroc,
    multiclass_average_precision,
    multiclass_calibration_error,
)

from ..atomic import atomic_write
from ..datasets.targets import Target

BINS = 10  # bins of probability for the calibration error and its plot
HEADLINE = "roc_auc"
NAMES = {  # ECE: the expected calibration error
    "roc_auc": "ROC-AUC",
    "pr_auc": "PR-AUC",
    "accuracy": "accuracy",
    "log_loss": "log loss",
    "brier": "Brier",
    "calibration_error": "ECE",
}


def class_scores(
    p: Float64[np.ndarray, "m c"], y: Float64[np.ndarray, " m"]
) -> dict[str, float | None]:
    """Scores of probabilities `p` for the true classes `y`; NaN in `y` is ignored.

    roc_auc            area under the ROC curve of the second of two classes; with more classes the
                       mean over classes, one against the rest; None if a class does not occur
    pr_auc             average precision, likewise
    accuracy           fraction of molecules whose likeliest class is true
    log_loss           in nats
    brier              mean squared error of all probabilities, summed over classes
    calibration_error  expected calibration error over 10 bins of the likeliest class's probability
                       (Guo et al., ICML 2017)
    """
    there = ~np.isnan(y)
    p, labels = p[there], y[there].astype(np.int64)
    made: dict[str, float | None] = dict.fromkeys(NAMES)
    if not len(p):
        return made
    share, target, n = torch.from_numpy(p), torch.from_numpy(labels), p.shape[1]
    own = np.clip(p[np.arange(len(p)), labels], 1e-12, 1)
    made["accuracy"] = float((p.argmax(1) == labels).mean())
    made["log_loss"] = float(-np.log(own).mean())
    made["brier"] = float(((p - np.eye(n)[labels]) ** 2).sum(1).mean())
    made["calibration_error"] = float(multiclass_calibration_error(share, target, n, BINS))
    if len(np.unique(labels)) == n:
        if n == 2:
            made["roc_auc"] = float(binary_auroc(share[:, 1], target))
            made["pr_auc"] = float(binary_average_precision(share[:, 1], target))
        else:
            made["roc_auc"] = float(multiclass_auroc(share, target, n))
            made["pr_auc"] = float(multiclass_average_precision(share, target, n))
    return made


def draw_reliability(
    path: Path,
    targets: Sequence[Target],
    found: Mapping[str, tuple[Float64[np.ndarray, "m c"], Float64[np.ndarray, " m"]]],
) -> None:
    """Plot the observed fraction of a class against its predicted probability, as a .png.

    One panel per target, for the second of two classes or the likeliest of several. Bars show the
    number of molecules in each bin.
    """
    from matplotlib.figure import Figure

    across = min(len(targets), 4)
    down = -(-len(targets) // across)
    figure = Figure(figsize=(3.4 * across, 3.4 * down), layout="constrained")
    edges = np.linspace(0, 1, BINS + 1)
    for j, target in enumerate(targets):
        p, y = found[target.name]
        there = ~np.isnan(y)
        p, y = p[there], y[there]
        binary = p.shape[1] == 2
        said = p[:, 1] if binary else p.max(1)
        true = (y == 1) if binary else (p.argmax(1) == y)
        axes = figure.add_subplot(down, across, j + 1)
        what = f"probability of {target.classes[1]}" if binary else "probability of the likeliest"
        title = target.name.replace("$", r"\$")
        axes.set(title=title, xlabel=f"predicted {what}", ylabel="fraction observed")
        axes.set(xlim=(0, 1), ylim=(0, 1))
        axes.set_box_aspect(1)
        axes.plot([0, 1], [0, 1], color="0.6", linewidth=1, zorder=0)
        if not len(said):
            continue
        at = np.clip(np.digitize(said, edges) - 1, 0, BINS - 1)
        counts = np.bincount(at, minlength=BINS)
        middle = 0.5 * (edges[1:] + edges[:-1])
        axes.bar(middle, counts / counts.max(), width=0.9 / BINS, color="0.9", zorder=-1)
        some = counts > 0
        means = [np.bincount(at, v, BINS)[some] / counts[some] for v in (said, true)]
        axes.plot(*means, "o-", color="tab:blue")
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)


def class_row(scores: Mapping[str, Mapping[str, float | None]]) -> dict[str, Any]:
    """A target's row of an evaluation: its headline score in each view, and all scores."""
    made: dict[str, Any] = {"unit": NAMES[HEADLINE], "metrics": dict(scores)}
    for view, found in scores.items():
        value = found[HEADLINE]
        made[view] = float("nan") if value is None else value
    return made
