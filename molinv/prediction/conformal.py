"""Prediction intervals of a saved model, and how far from its training molecules is too far.

Split-conformal (Papadopoulos et al. 2002; Lei et al., JASA 113 (2018), algorithm 2): of n
held-out molecules the ceil((n + 1) 0.9)-th smallest residual is the half-width that a new
molecule of the same kind stays within with a probability of 90 % or more, whatever the model and
the residuals' law. Molecules are not of the same kind where their geometries are not: there is a
set of half-widths for geometries as the data has them ("given"), and one for RDKit's ("embedded").
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from ..atomic import edited
from .applicability_domain import Composition, FeatureSpace

FILE = "conformal.json"
LEVEL = 0.9  # of the intervals
INSIDE = 0.99  # of molecules of the training data's kind, the share that are not called outside
FEWEST = 9  # molecules for a 90 % interval
FEWEST_DISTANCES = 99  # and for the limit that 99 % are within
CHOSEN_ON = "The calibration molecules also chose the epoch, so the intervals may be too narrow."
COPIES = (1, 8)  # orientations averaged; fewer than the second number have the first's intervals


def quantile(values: Float64[np.ndarray, " m"], level: float) -> float:
    """The ceil((n + 1) level)-th smallest of the n values that are not NaN; infinite for few.

    A further value of the same law is at most that with a probability of `level` or more.
    """
    known = np.sort(values[~np.isnan(values)])
    rank = ceil((len(known) + 1) * level - 1e-9)
    return float(known[rank - 1]) if 1 <= rank <= len(known) else float("inf")


@dataclass(frozen=True, eq=False)
class Calibration:
    """What conformal.json beside a model holds: its intervals, and the limits of its domain."""

    content: dict[str, Any]
    composition: Composition
    space: FeatureSpace | None

    def molecules(self, kind: str) -> int:
        """How many molecules a kind of geometry was calibrated on; 0 where it was not."""
        return self.content["sets"].get(kind, {}).get("molecules", 0)

    def caveats(self, kind: str) -> list[str]:
        """Sentences on what the intervals of a kind of geometry cannot promise."""
        found, made = self.content["sets"].get(kind), []
        if found is None:
            return made
        number = found["molecules"]
        if number < FEWEST:
            made.append(
                f"No intervals: a 90 % interval takes {FEWEST} held-out molecules, not {number}."
            )
        else:
            if found.get("chosen_on", True):  # older versions held nothing back
                made.append(CHOSEN_ON)
            if (parts := self.content.get("parts", "random")) != "random":
                made.append(
                    f"The data were split by {parts}: the calibration molecules are unlike "
                    "new ones, for which the intervals may not hold."
                )
        if self.space is not None and number < FEWEST_DISTANCES:
            made.append(
                f"Molecules unlike the training molecules are not recognised by their features: "
                f"the limit takes {FEWEST_DISTANCES} held-out molecules, not {number}."
            )
        return made

    def half_widths(
        self, names: Sequence[str], kind: str, copies: int
    ) -> Float64[np.ndarray, " t"]:
        """Half-widths of the 90 % intervals, in the targets' units; NaN where none is known."""
        if not self.molecules(kind):
            return np.full(len(names), np.nan)
        halves = self.content["sets"][kind][_key(copies)]["half"]
        return np.array([np.nan if halves[n] is None else halves[n] for n in names])

    def farthest(self, kind: str, copies: int) -> float:
        """The distance in feature space that 99 % of validation molecules are within."""
        found = self.content["sets"].get(kind, {}).get(_key(copies), {}).get("distance")
        return float("inf") if found is None else found


def calibrated(folder: Path, card: dict[str, Any]) -> Calibration | None:
    """The calibration beside a model; None without one, or where it is of other weights."""
    try:
        content = json.loads((folder / FILE).read_text(encoding="utf-8"))
        if content["sha256"] != card["sha256"] or edited(content):
            return None
        few, many = card["atoms"]
        composition = Composition.from_json((few, many), content["domain"])
        space = FeatureSpace.load(folder, content["domain"]["sha256"])
        return Calibration(content, composition, space)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _key(copies: int) -> str:
    """Values averaged over more orientations err no more: the nearest smaller number's set."""
    return str(max(c for c in COPIES if c <= max(1, copies)))
