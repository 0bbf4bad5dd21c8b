"""Prediction intervals of a saved model, and how far from its training molecules is too far.

Split-conformal (Papadopoulos et al. 2002; Lei et al., JASA 113 (2018), algorithm 2): of n
validation molecules the ceil((n + 1) 0.9)-th smallest residual is the half-width that a new
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
        content = json.loads((folder / FILE).read_text())
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
