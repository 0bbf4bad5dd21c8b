"""Intervals by resampling the molecules.

The mean of a resample is its counts times the values, so all resamples are one matrix product, and
several quantities, degrees or sums share the same resamples. scipy.stats.bootstrap gathers the
values again for each resample, which takes 20 times as long with 72 numbers a molecule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from .section import Series, Style, plain
from .settings import Settings

_HELD = 1 << 22  # numbers of one block of resamples


@dataclass(frozen=True, eq=False)
class Estimate:
    """Values with the ends of their intervals; the ends are NaN where there is one molecule."""

    value: Float[Tensor, "*e"]
    low: Float[Tensor, "*e"]
    high: Float[Tensor, "*e"]

    def __getitem__(self, index: Any) -> Estimate:
        return Estimate(*(part[index] for part in self.parts))

    @staticmethod
    def stack(estimates: Sequence[Estimate]) -> Estimate:
        """Several estimates along a new first axis."""
        return Estimate(*map(torch.stack, zip(*(e.parts for e in estimates), strict=True)))

    def text(self, *index: int, unit: str = "", scale: float = 1.0) -> str:
        """One of them for a sentence: "3.1 [2.8, 3.4] meV"."""
        value, low, high = (float(part[index]) * scale for part in self.parts)
        known = isfinite(low) and isfinite(high)
        interval = f" [{short(low)}, {short(high)}]" if known else ""
        return f"{short(value)}{interval} {unit}".rstrip()

    def numbers(self) -> dict[str, Any]:
        """For JSON."""
        return dict(zip(("value", "low", "high"), map(plain, self.parts), strict=True))

    def series(
        self, label: str, x: Sequence[Any], style: Style = "line", scale: float = 1.0
    ) -> Series:
        """The values at x, with intervals of no width where the ends are not known."""
        value, low, high = (part * scale for part in self.parts)
        low, high = (torch.where(end.isfinite(), end, value).tolist() for end in (low, high))
        return Series(label, x, value.tolist(), low, high, style)

    @property
    def parts(self) -> tuple[Tensor, Tensor, Tensor]:
        """The values, the lower ends, the upper ends."""
        return self.value, self.low, self.high


def of_means(
    function: Callable[[Float[Tensor, "*n *c"]], Float[Tensor, "*n *e"]],
    values: Float[Tensor, "m ..."],
    settings: Settings,
) -> Estimate:
    """function(mean of the values over molecules), with percentile intervals.

    `function` is called with the means, once with the molecules' own, (*c), and once with those of
    all resamples, (n, *c). Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993),
    section 13.
    """
    flat = values.double().flatten(1) if values.ndim > 1 else values.double()[:, None]
    found = []
    for draws in _draws(len(values), settings):
        counts = torch.zeros(draws.shape, dtype=torch.float64)
        counts.scatter_add_(1, draws, torch.ones_like(counts))
        found.append(counts @ flat / len(values))
    means = torch.cat(found).view(-1, *values.shape[1:])
    return _estimate(function(values.double().mean(0)), function(means), len(values), settings)


def means(values: Float[Tensor, m * c], settings: Settings) -> Estimate:
    """The mean over molecules, with percentile intervals."""
    return of_means(lambda mean: mean, values, settings)


def medians(values: Float[Tensor, "m c"], settings: Settings) -> Estimate:
    """The median over molecules of each column, with percentile intervals.

    Places in the sorted column are drawn instead of molecules, so one sort of the draws serves all
    columns; the law of each median is the same.
    """
    m = len(values)
    ordered = values.double().sort(0).values
    middle = [(m - 1) // 2, m // 2]
    places = torch.cat([draws.sort(1).values[:, middle] for draws in _draws(m, settings)])
    return _estimate(ordered[middle].mean(0), ordered[places].mean(1), m, settings)


def short(value: float) -> str:
    """Three digits: 0.0123, 1,230."""
    rounded = float(f"{value:.3g}")
    return f"{rounded:,.0f}" if 1e3 <= abs(rounded) < 1e6 else f"{rounded:g}"


def _draws(molecules: int, settings: Settings) -> Iterator[Int64[Tensor, "n m"]]:
    """The molecules of each resample, some resamples at a time."""
    generator = torch.Generator().manual_seed(settings.seed)
    block = max(1, _HELD // molecules)
    for start in range(0, settings.bootstrap, block):
        shape = min(block, settings.bootstrap - start), molecules
        yield torch.randint(molecules, shape, generator=generator)


def _estimate(centre: Tensor, resampled: Tensor, molecules: int, settings: Settings) -> Estimate:
    """Percentiles of the resamples; a single molecule gives no interval."""
    if molecules < 2:
        none = torch.full_like(centre, torch.nan)
        return Estimate(centre, none, none)
    tail = (1 - settings.confidence) / 2
    ends = np.nanquantile(resampled.numpy(), [tail, 1 - tail], axis=0)
    return Estimate(centre, *(torch.as_tensor(end) for end in ends))
