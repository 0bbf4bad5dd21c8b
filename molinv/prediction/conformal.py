"""Prediction intervals of a saved model, and how far from its training molecules is too far.

Split-conformal (Papadopoulos et al. 2002; Lei et al., JASA 113 (2018), algorithm 2): of n
held-out molecules the ceil((n + 1) 0.9)-th smallest residual is the half-width that a new
molecule of the same kind stays within with a probability of 90 % or more, whatever the model and
the residuals' law. Molecules are not of the same kind where their geometries are not: there is a
set for geometries as the data has them ("given"), and one for RDKit's ("embedded").

With enough held-out molecules each new one has an interval of its own. Its centre and scale are
what `difficulty` expects of it, and residuals are counted in scales from there. Their quantiles are
by the number of heavy atoms and by the distance from the training molecules (Mondrian conformal
prediction: Vovk et al. 2005, section 4.5), so that the small and the unusual are covered too. A
network that judges a held-out molecule has not seen it (cross-conformal: Vovk, Ann. Math. Artif.
Intell. 74 (2015)).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float64, Int64
from safetensors import SafetensorError

from ..atomic import edited
from . import difficulty
from .applicability_domain import FEWEST as FEWEST_DISTANCES
from .applicability_domain import Composition, FeatureSpace
from .difficulty import Difficulty, Signs

FILE = "conformal.json"
LEVEL = 0.9  # of the intervals
FEWEST = 9  # molecules for a 90 % interval
BIN = 30  # molecules at least in a bin by size or distance, which has a quantile of its own
DISTANCES = (0.5, 0.9, 0.98)  # of held-out molecules, where bins by distance end
PASSES = 5  # over the bins by distance and by size, until intervals hold in both
CHOSEN_ON = "The calibration molecules also chose the epoch, so the intervals may be too narrow."
COPIES = (1, 8)  # orientations averaged; fewer than the second number have the first's intervals


def quantile(values: Float64[np.ndarray, " m"], level: float) -> float:
    """The ceil((n + 1) level)-th smallest of the n values that are not NaN; infinite for few.

    A further value of the same law is at most that with a probability of `level` or more.
    """
    known = np.sort(values[~np.isnan(values)])
    rank = ceil((len(known) + 1) * level - 1e-9)
    return float(known[rank - 1]) if 1 <= rank <= len(known) else float("inf")


class Ends(NamedTuple):
    """Where the intervals of b molecules end, as what to add to their values; NaN if unknown."""

    low: Float64[np.ndarray, "b t"]
    high: Float64[np.ndarray, "b t"]


@dataclass(frozen=True, eq=False)
class Calibration:
    """What is beside a model in conformal.json and its .safetensors: intervals, and the domain."""

    content: dict[str, Any]
    composition: Composition
    space: FeatureSpace | None
    difficulties: dict[str, Difficulty]

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
            if number < difficulty.FEWEST:
                made.append(
                    "All molecules have an interval of the same width: widths of their own take "
                    f"{difficulty.FEWEST} held-out molecules, not {number}."
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
        """Half-widths that would hold for all molecules alike, in the targets' units; or NaN."""
        halves = self._row(kind, copies).get("half", {})
        return np.array([np.nan if halves.get(n) is None else halves[n] for n in names])

    def ends(self, names: Sequence[str], kind: str, copies: int, signs: Signs) -> Ends:
        """The ends of the 90 % intervals of molecules with these signs, around their values."""
        row = self._row(kind, copies)
        if "factors" not in row:
            half = np.tile(self.half_widths(names, kind, copies), (len(signs.counts), 1))
            return Ends(-half, half)
        columns = [list(row["half"]).index(n) for n in names]
        centre, scale = self.expected(kind, copies, signs)
        for name, at in self.bins(kind, signs).items():
            scale = scale * np.array(row["factors"][name], float)[at]
        centre, half = centre[:, columns], scale[:, columns]
        # the value itself is in its interval, wherever its centre is
        return Ends(np.minimum(-centre - half, 0.0), np.maximum(half - centre, 0.0))

    def bins(self, kind: str, signs: Signs) -> dict[str, Int64[np.ndarray, " b"]]:
        """Which bin of each group of bins molecules are in."""
        ends = self.content["sets"][kind]["bins"]
        return {n: bins(v, ends[n]) for n, v in sorts(signs, self.space).items() if n in ends}

    def expected(
        self, kind: str, copies: int, signs: Signs
    ) -> tuple[Float64[np.ndarray, "b t"], Float64[np.ndarray, "b t"]]:
        """Centre and scale of every target's error, before they are conformalised."""
        if (found := self.difficulties.get(kind)) is None:
            half = np.array(list(self._row(kind, copies)["half"].values()), float)
            scale = alike(half, len(signs.counts))
            return np.zeros_like(scale), scale
        return found(
            difficulty.inputs(signs, self.space, self.composition.elements, found.all_features)
        )

    def limit(self, kind: str, copies: int, heavy: int) -> float:
        """The distance in feature space beyond which a molecule of so many atoms is outside."""
        row = self._row(kind, copies)
        if found := row.get("limits"):
            return found[min(max(heavy, 1), len(found)) - 1]
        far = row.get("distance")  # in 0.1.0 one limit for all sizes
        return float("inf") if far is None else far

    def _row(self, kind: str, copies: int) -> dict[str, Any]:
        return self.content["sets"].get(kind, {}).get(_key(copies), {})


def sorts(signs: Signs, space: FeatureSpace | None) -> dict[str, Float64[np.ndarray, " b"]]:
    """What molecules are put into bins by, the last exactly: their distance and their size."""
    far = signs.distance(space)
    made = {"heavy": signs.heavy.astype(float)}
    return made if np.isnan(far).any() else {"distance": far} | made


def alike(half: Float64[np.ndarray, " t"], n: int) -> Float64[np.ndarray, "n t"]:
    """The scales of n molecules that all have the same one: their residuals' quantile."""
    return np.tile(np.where(half == 0, 1.0, half), (n, 1))  # a model that never errs has no scale


def bins(values: Float64[np.ndarray, " b"], ends: Sequence[float]) -> Int64[np.ndarray, " b"]:
    """Which bin each value is in; `ends` are the largest of each bin but the last."""
    return np.searchsorted(np.array(ends, float), values, side="left")


def binned(values: Float64[np.ndarray, " m"], shares: Sequence[float] = ()) -> list[float]:
    """The ends of bins of at least 30 molecules: at these shares of all, or at every value."""
    values = np.sort(values)
    wanted = np.unique(values) if not shares else np.quantile(values, shares, method="lower")
    made, below = [], 0
    for end in wanted.tolist():
        number = int(np.searchsorted(values, end, side="right"))
        if number - below >= BIN and len(values) - number >= BIN:
            made.append(end)
            below = number
    return made


def factors(
    scores: Float64[np.ndarray, "m t"], groups: Sequence[Int64[np.ndarray, " m"]]
) -> list[Float64[np.ndarray, "bins t"]]:
    """What to multiply scales with so that intervals hold in each bin of each group of bins.

    One row for each bin, so that the quantile of each target's scores, divided by the product of
    their rows, is 1 in every bin: exactly in those of the last group, nearly in the others'. A bin
    of fewer than 100 is not narrower than all molecules together would have it.
    """
    made = [np.ones((at.max() + 1, scores.shape[1])) for at in groups]
    for i in [*range(len(groups))] * PASSES:
        others = [row[at] for k, (row, at) in enumerate(zip(made, groups, strict=True)) if k != i]
        rest = scores / np.prod(others, axis=0)
        overall, rows = quantiles(rest), []
        for k in range(len(made[i])):
            own = rest[groups[i] == k]
            highest = np.fmax.reduce(np.vstack([own, overall]), axis=0)  # where too few are known
            found = quantiles(own)
            found = np.where(np.isfinite(found), found, highest)
            rows.append(np.maximum(found, overall) if len(own) < 100 else found)
        made[i] = np.array(rows)
    return made


def quantiles(values: Float64[np.ndarray, "m t"]) -> Float64[np.ndarray, " t"]:
    """`quantile` of every column at the intervals' level."""
    return np.array([quantile(column, LEVEL) for column in values.T])


def calibrated(folder: Path, card: dict[str, Any]) -> Calibration | None:
    """The calibration beside a model; None without one, or where it is of other weights."""
    try:
        content = json.loads((folder / FILE).read_text(encoding="utf-8"))
        if content["sha256"] != card["sha256"] or edited(content):
            return None
        few, many = card["atoms"]
        composition = Composition.from_json((few, many), content["domain"])
        space = FeatureSpace.load(folder, content["domain"]["sha256"])
        known = difficulty.read(folder, content.get("difficulty"))
        return Calibration(content, composition, space, known)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError):
        return None


def _key(copies: int) -> str:
    """Values averaged over more orientations err no more: the nearest smaller number's set."""
    return str(max(c for c in COPIES if c <= max(1, copies)))
