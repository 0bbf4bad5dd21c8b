"""Coverage and width of the intervals on test molecules, overall and by group.

Groups are by number of heavy atoms, by distance from the training molecules, and by the rings and
functional groups of the SMILES.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int64

from ..chem.classes import SMARTS, classes
from ..datasets.targets import Target
from .conformal import Ends
from .fields import bounded

JUDGED = 100  # fewest molecules in a group whose coverage is shown
SIZES = (*range(1, 11), 15, 20, 30, 50)  # smallest number of heavy atoms of each group
DISTANCES = {"nearest half": 0.5, "50 to 90 %": 0.9, "90 to 99 %": 0.99, "farthest 1 %": 1.0}

Groups = dict[tuple[str, str], Bool[np.ndarray, " m"]]


def groups(
    heavy: Int64[np.ndarray, " m"],
    distance: Float64[np.ndarray, " m"],
    smiles: Iterable[str],
) -> Groups:
    """A mask (m,) for each non-empty group, by (sort of group, group)."""
    made: Groups = {}
    for first, end in zip(SIZES, (*SIZES[1:], np.inf), strict=True):
        name = f"{first}" if end == first + 1 else f"{first} to {end - 1}"
        name = f"{first} or more" if end == np.inf else name
        made["heavy atoms", name] = (heavy >= first) & (heavy < end)
    made["heavy atoms", "1 to 6"] = (heavy >= 1) & (heavy <= 6)
    if not np.isnan(distance).any():
        ranks = np.argsort(np.argsort(distance)) / len(distance)
        low = 0.0
        for name, high in DISTANCES.items():
            made["feature distance", name] = (ranks >= low) & (ranks < high)
            low = high
    found = [classes(text) for text in smiles]
    for what, names in SMARTS.items():
        for name in names:
            made[what, name] = np.array([(what, name) in each for each in found], bool)
    return {key: mask for key, mask in made.items() if mask.any()}


def held(
    errors: Float64[np.ndarray, "m t"],
    values: Float64[np.ndarray, "m t"] | None,
    ends: Ends,
    half: Float64[np.ndarray, " t"],
    targets: Sequence[Target],
    members: Groups,
) -> tuple[dict[str, dict[str, float]], list[dict[str, Any]]]:
    """Coverage and mean widths of the intervals per target, and coverage by group.

    errors   prediction minus truth, NaN where unknown; lengths for vectors and tensors
    values   the predictions, None if errors are lengths; then an interval is a radius
    ends     ends of the intervals, relative to the values
    half     half-widths of intervals with one width for all molecules
    members  masks of the groups

    The first result has for each target "half", "coverage", "width" (the mean width) and "alike"
    (the mean width with one width for all). Widths do not count what is below a target's `least`.
    Targets without intervals or without true values are left out.
    """
    known = ~np.isnan(errors)
    truth = errors if values is None else -errors  # truth minus prediction
    inside = known & (truth <= ends.high) & (truth >= ends.low)
    same = Ends(np.tile(-half, (len(errors), 1)), np.tile(half, (len(errors), 1)))
    widths, alike = _widths(values, ends, targets), _widths(values, same, targets)
    usable = [
        j for j in range(len(targets)) if known[:, j].any() and np.isfinite(ends.high[:, j]).all()
    ]
    found = {
        targets[j].name: {
            "half": float(half[j]),
            "coverage": float(inside[:, j].sum() / known[:, j].sum()),
            "width": float(widths[:, j].mean()),
            "alike": float(alike[:, j].mean()),
        }
        for j in usable
    }
    rows = []
    for (what, name), mask in members.items():
        there = {targets[j].name: int(known[mask, j].sum()) for j in usable}
        share = {
            targets[j].name: float(inside[mask, j].sum() / there[targets[j].name])
            for j in usable
            if there[targets[j].name]
        }
        if share:
            rows.append(
                {"of": what, "group": name, "molecules": int(mask.sum()), "coverage": share}
            )
    return found, rows


def _widths(
    values: Float64[np.ndarray, "m t"] | None, ends: Ends, targets: Sequence[Target]
) -> Float64[np.ndarray, "m t"]:
    """Widths of the intervals as shown to the user, radii if errors are lengths."""
    if values is None:
        return ends.high
    bottom, top = values + ends.low, values + ends.high
    for j, target in enumerate(targets):
        bottom[:, j] = bounded(target, bottom[:, j])
    return top - bottom
