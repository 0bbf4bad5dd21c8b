"""Calibrate one kind of geometry: from residuals to intervals and limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from ..datasets.batches import OnDevice
from ..tasks.numbers import Numbers
from ..training.saved import Saved
from . import difficulty
from .applicability_domain import Composition, FeatureSpace, limits
from .conformal import COPIES, DISTANCES, LEVEL, alike, binned, bins, factors, quantiles, sorts
from .difficulty import FOLDS, Difficulty, Signs
from .residuals import Residuals, residuals

ROOM = 1.25  # margin on the distance of the smallest training molecules
PAYS = 0.99  # individual widths must reach this fraction of the loss with one common width

Half = Float64[np.ndarray, " t"]


@dataclass(frozen=True, eq=False)
class Maker:
    """Makes the sets of a model's conformal.json, one per kind of geometry.

    `small` are the signs of the smallest training molecules, since few of these are held out.
    """

    saved: Saved
    composition: Composition
    space: FeatureSpace | None
    small: Signs

    def set(
        self,
        store: OnDevice,
        chosen: Int64[np.ndarray, " m"],
        others: Int64[np.ndarray, " a"],
        what: str,
    ) -> tuple[dict[str, Any], Difficulty | None]:
        """The JSON of one kind of geometry, calibrated on `chosen`, and its networks or None.

        The networks are fitted to the chosen molecules and to the held-out molecules `others`.
        """
        saved, made = self.saved, dict[str, Any](molecules=len(chosen))
        names, numbers = [t.name for t in saved.task.predicted], isinstance(saved.task, Numbers)
        found = {c: residuals(saved, store, chosen, c, what) for c in COPIES}
        halves = {c: quantiles(np.abs(each.values)) for c, each in found.items()}
        for copies, each in found.items():
            # a class probability has no interval
            values = _finite(halves[copies]) if numbers else [None] * len(names)
            half = dict(zip(names, values, strict=True))
            made[str(copies)] = {"half": half, "limits": self._limits(signs_of(each))}
        if not numbers or len(chosen) < difficulty.FEWEST:
            return made, None
        first = found[COPIES[0]]
        more = residuals(saved, store, others, COPIES[0], what) if len(others) else None
        best = self._best(first, more, halves[COPIES[0]])
        by = sorts(signs_of(first), self.space)
        shares = {"heavy": (), "distance": DISTANCES}
        made["bins"] = {name: binned(values, shares[name]) for name, values in by.items()}
        for copies, each in found.items():
            scores, _ = self._scores(best, each, halves[copies])
            by = sorts(signs_of(each), self.space)
            rows = factors(scores, [bins(by[name], ends) for name, ends in made["bins"].items()])
            kept = {name: [_finite(r) for r in f] for name, f in zip(by, rows, strict=True)}
            made[str(copies)]["factors"] = kept
        return made, best

    def _limits(self, signs: Signs) -> list[float] | None:
        """The domain's limits, from the chosen molecules and the smallest training molecules."""
        far = signs.distance(self.space)
        if limits(signs.heavy, far) is None:
            return None
        heavy = np.concatenate([signs.heavy, self.small.heavy])
        return limits(heavy, np.concatenate([far, ROOM * self.small.distance(self.space)]))

    def _best(self, found: Residuals, more: Residuals | None, half: Half) -> Difficulty | None:
        """The networks with the lowest loss: with few inputs, with all features, or None."""
        signs, values, fold = signs_of(found), found.values, _folds(found)
        if more is not None:
            signs = Signs.joined([signs, signs_of(more)])
            values = np.concatenate([values, more.values])
            fold = np.concatenate([fold, np.full(len(more.values), -1)])
        best, least = None, PAYS * self._loss(None, found, half)
        for whole in (False, True) if self.space is not None else (False,):
            x = difficulty.inputs(signs, self.space, self.composition.elements, whole)
            signed = self.saved.task.kind == "scalar"
            made = difficulty.fit(x, values, fold, LEVEL, signed, whole)
            if (loss := self._loss(made, found, half)) < least:
                best, least = made, loss
        return best

    def _scores(
        self, made: Difficulty | None, found: Residuals, half: Half
    ) -> tuple[Float64[np.ndarray, "m t"], Float64[np.ndarray, "m t"]]:
        """Scaled residuals and the scales, by networks that were not fitted to the molecule."""
        if made is None:
            scale = alike(half, len(found.values))
            return np.abs(found.values) / scale, scale
        x = difficulty.inputs(
            signs_of(found), self.space, self.composition.elements, made.all_features
        )
        fold, rows = _folds(found), np.arange(len(found.values))
        centre, scale = (each[fold, rows] for each in made.folds(x))
        return np.abs(found.values - centre) / scale, scale

    def _loss(self, made: Difficulty | None, found: Residuals, half: Half) -> float:
        """Mean interval score (see `difficulty`), relative to that of intervals with one width."""
        scores, scale = self._scores(made, found, half)
        factor = quantiles(scores)
        over = np.maximum(scores - factor, 0.0) / (1 - LEVEL)
        return float(np.nanmean((factor + over) * scale / alike(half, 1)))


def signs_of(found: Residuals) -> Signs:
    """The signs of molecules whose targets were predicted."""
    assert found.signs is not None
    return found.signs


def _folds(found: Residuals) -> Int64[np.ndarray, " m"]:
    """Folds of adjacent rows, because the rows of a molecule are adjacent."""
    n = len(found.values)
    return np.arange(n) * FOLDS // max(n, 1)


def _finite(values: Half) -> list[float | None]:
    return [float(v) if np.isfinite(v) else None for v in values]
