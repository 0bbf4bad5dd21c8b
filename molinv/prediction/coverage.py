"""Coverage and width of the intervals of test molecules, overall and by group.

Groups are by the number of heavy atoms, by the distance from the training molecules, and by the
rings and functional groups of a SMILES.
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

JUDGED = 100  # molecules of a group whose coverage says something
SIZES = (*range(1, 11), 15, 20, 30, 50)  # heavy atoms from which on a group reaches to the next
DISTANCES = {"nearest half": 0.5, "50 to 90 %": 0.9, "90 to 99 %": 0.99, "farthest 1 %": 1.0}

Groups = dict[tuple[str, str], Bool[np.ndarray, " m"]]


def groups(
    heavy: Int64[np.ndarray, " m"],
    distance: Float64[np.ndarray, " m"],
    smiles: Iterable[str],
) -> Groups:
    """(what, group) and which molecules are in it, of those in which there are any."""
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
    """Of each target what share of the true values is within, and mean widths; and by group.

    `errors` are predictions less the truth, NaN where unknown, of `values`, or None where errors
    are lengths and half an interval is a radius; `half` are the half-widths all molecules would
    have alike. "width" is that of the mean interval, "alike" of those, both without what is below
    `least`. Only targets that have intervals and true values are in it.
    """
    known = ~np.isnan(errors)
    truth = errors if values is None else -errors  # from the value
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
    """Of the intervals as they are shown; of lengths the radii."""
    if values is None:
        return ends.high
    bottom, top = values + ends.low, values + ends.high
    for j, target in enumerate(targets):
        bottom[:, j] = bounded(target, bottom[:, j])
    return top - bottom
