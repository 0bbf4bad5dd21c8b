"""Prediction intervals of a saved model, and the limits of its applicability domain.

Split-conformal prediction (Papadopoulos et al. 2002; Lei et al., JASA 113 (2018), algorithm 2):
take the ceil((n + 1) 0.9)-th smallest of n held-out residuals as the half-width. A new molecule
of the same kind is within it with a probability of at least 90 %, for any model and any
distribution of residuals. Geometries from different sources are different kinds, so there is one
set of intervals for the data's own geometries ("given") and others for RDKit's ("embedded",
"hydrogens added").

With enough held-out molecules every new molecule has an interval of its own. `difficulty` estimates
the centre and the scale of its error, and residuals are measured from that centre in units of that
scale. Their quantiles are taken in bins of the number of heavy atoms and of the distance from the
training molecules (Mondrian conformal prediction: Vovk et al. 2005, section 4.5), so that small and
unusual molecules are covered too. Each held-out molecule is judged by a network that was not fitted
to it (cross-conformal prediction: Vovk, Ann. Math. Artif. Intell. 74 (2015)).
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
LEVEL = 0.9  # coverage of the intervals
FEWEST = 9  # fewest molecules for a 90 % interval
BIN = 30  # fewest molecules in a bin by size or distance
DISTANCES = (0.5, 0.9, 0.97, 0.99)  # quantiles of the distance where bins end
PASSES = 5  # alternations between bins by distance and by size; coverage then holds in both
CHOSEN_ON = "The calibration molecules also chose the epoch, so the intervals may be too narrow."
COPIES = (1, 8)  # numbers of averaged orientations with intervals of their own, see `_key`


def quantile(values: Float64[np.ndarray, " m"], level: float) -> float:
    """The ceil((n + 1) level)-th smallest of n values, NaN ignored; infinite if n is too small.

    A further value from the same distribution is at most that with probability `level` or more.
    """
    known = np.sort(values[~np.isnan(values)])
    rank = ceil((len(known) + 1) * level - 1e-9)
    return float(known[rank - 1]) if 1 <= rank <= len(known) else float("inf")


class Ends(NamedTuple):
    """Ends of the intervals of b molecules, relative to the predicted values; NaN if not known."""

    low: Float64[np.ndarray, "b t"]
    high: Float64[np.ndarray, "b t"]


@dataclass(frozen=True, eq=False)
class Calibration:
    """Intervals and applicability domain of a model, read from conformal.json and .safetensors."""

    content: dict[str, Any]
    composition: Composition
    space: FeatureSpace | None
    difficulties: dict[str, Difficulty]

    def molecules(self, kind: str) -> int:
        """Number of molecules that one kind of geometry was calibrated on; 0 if it was not."""
        return self.content["sets"].get(kind, {}).get("molecules", 0)

    def caveats(self, kind: str) -> list[str]:
        """Sentences on the limitations of the intervals for one kind of geometry."""
        found, made = self.content["sets"].get(kind), []
        if found is None:
            return made
        number = found["molecules"]
        if number < FEWEST:
            made.append(
                f"No intervals: a 90 % interval needs {FEWEST} held-out molecules, not {number}."
            )
        else:
            if found.get("chosen_on", True):  # older versions held out no molecules for it
                made.append(CHOSEN_ON)
            if (parts := self.content.get("parts", "random")) != "random":
                made.append(
                    f"The data were split by {parts}: new molecules are unlike the calibration "
                    "molecules, so the intervals may not hold for them."
                )
            if number < difficulty.FEWEST:
                made.append(
                    "All intervals have the same width: individual widths need "
                    f"{difficulty.FEWEST} held-out molecules, not {number}."
                )
        if self.space is not None and number < FEWEST_DISTANCES:
            made.append(
                "The applicability domain has no limit on feature distance: the limit needs "
                f"{FEWEST_DISTANCES} held-out molecules, not {number}."
            )
        return made

    def half_widths(
        self, names: Sequence[str], kind: str, copies: int
    ) -> Float64[np.ndarray, " t"]:
        """Half-widths of intervals with one width for all molecules, in the targets' units.

        NaN for a target without intervals.
        """
        halves = self._row(kind, copies).get("half", {})
        return np.array([np.nan if halves.get(n) is None else halves[n] for n in names])

    def ends(self, names: Sequence[str], kind: str, copies: int, signs: Signs) -> Ends:
        """Ends of the 90 % intervals of molecules with these signs, relative to their values."""
        row = self._row(kind, copies)
        if "factors" not in row:
            half = np.tile(self.half_widths(names, kind, copies), (len(signs.counts), 1))
            return Ends(-half, half)
        columns = [list(row["half"]).index(n) for n in names]
        centre, scale = self.expected(kind, copies, signs)
        for name, at in self.bins(kind, signs).items():
            scale = scale * np.array(row["factors"][name], float)[at]
        centre, half = centre[:, columns], scale[:, columns]
        # the interval always contains the value itself
        return Ends(np.minimum(-centre - half, 0.0), np.maximum(half - centre, 0.0))

    def bins(self, kind: str, signs: Signs) -> dict[str, Int64[np.ndarray, " b"]]:
        """The bin of each molecule, for each sort of bins (by distance, by heavy atoms)."""
        ends = self.content["sets"][kind]["bins"]
        return {n: bins(v, ends[n]) for n, v in sorts(signs, self.space).items() if n in ends}

    def expected(
        self, kind: str, copies: int, signs: Signs
    ) -> tuple[Float64[np.ndarray, "b t"], Float64[np.ndarray, "b t"]]:
        """Expected centre and scale of the error of each target before calibration."""
        if (found := self.difficulties.get(kind)) is None:
            half = np.array(list(self._row(kind, copies)["half"].values()), float)
            scale = alike(half, len(signs.counts))
            return np.zeros_like(scale), scale
        return found(
            difficulty.inputs(signs, self.space, self.composition.elements, found.all_features)
        )

    def limit(self, kind: str, copies: int, heavy: int) -> float:
        """Largest feature distance inside the domain for a molecule with `heavy` heavy atoms."""
        row = self._row(kind, copies)
        if found := row.get("limits"):
            return found[min(max(heavy, 1), len(found)) - 1]
        far = row.get("distance")  # version 0.1.0 had one limit for all sizes
        return float("inf") if far is None else far

    def _row(self, kind: str, copies: int) -> dict[str, Any]:
        return self.content["sets"].get(kind, {}).get(_key(copies), {})


def sorts(signs: Signs, space: FeatureSpace | None) -> dict[str, Float64[np.ndarray, " b"]]:
    """The quantities that bins are made of; coverage is exact in the bins of the last one."""
    far = signs.distance(space)
    made = {"heavy": signs.heavy.astype(float)}
    return made if np.isnan(far).any() else {"distance": far} | made


def alike(half: Float64[np.ndarray, " t"], n: int) -> Float64[np.ndarray, "n t"]:
    """The scales of n molecules with one common scale: the quantile of their residuals."""
    return np.tile(np.where(half == 0, 1.0, half), (n, 1))  # 0: a model without any error


def bins(values: Float64[np.ndarray, " b"], ends: Sequence[float]) -> Int64[np.ndarray, " b"]:
    """The index of each value's bin; `ends` are the largest values of all bins but the last."""
    return np.searchsorted(np.array(ends, float), values, side="left")


def binned(values: Float64[np.ndarray, " m"], shares: Sequence[float] = ()) -> list[float]:
    """Ends of bins with at least 30 molecules.

    Bins end at the quantiles `shares` if given, else at any value.
    """
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
    """Factors of the scales with which the intervals hold in every bin of every sort of bins.

    Returns one array (bins, t) per sort. Divided by the product of their factors, the scores of
    each target have the quantile 1 in every bin: exactly in the bins of the last sort,
    approximately in the others. A bin with fewer than 100 molecules is at least as wide as all
    molecules together.
    """
    made = [np.ones((at.max() + 1, scores.shape[1])) for at in groups]
    for i in [*range(len(groups))] * PASSES:
        others = [row[at] for k, (row, at) in enumerate(zip(made, groups, strict=True)) if k != i]
        rest = scores / np.prod(others, axis=0)
        overall, rows = quantiles(rest), []
        for k in range(len(made[i])):
            own = rest[groups[i] == k]
            highest = np.fmax.reduce(np.vstack([own, overall]), axis=0)  # if too few are known
            found = quantiles(own)
            found = np.where(np.isfinite(found), found, highest)
            rows.append(np.maximum(found, overall) if len(own) < 100 else found)
        made[i] = np.array(rows)
    return made


def quantiles(values: Float64[np.ndarray, "m t"]) -> Float64[np.ndarray, " t"]:
    """`quantile` of each column, at the level of the intervals."""
    return np.array([quantile(column, LEVEL) for column in values.T])


def calibrated(folder: Path, card: dict[str, Any]) -> Calibration | None:
    """Read the calibration in a model's folder; None if missing or made for other weights."""
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
    """The largest number of `COPIES` that does not exceed `copies`.

    Averaging over more orientations does not increase the error, so its intervals stay valid.
    """
    return str(max(c for c in COPIES if c <= max(1, copies)))
