"""Medians over molecules, with intervals that hold for any distribution and few molecules.

One molecule can hold most of a variance. Bootstrap intervals of such a mean contain the truth in
80 % of samples instead of 95 %. The number of molecules below the median is binomial for any
distribution.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from scipy.stats import binom
from torch import Tensor

from .section import Series, Style, plain

CONFIDENCE = 0.95
FEWEST = 6  # molecules: the range of 5 contains the median in only 94 % of samples


@dataclass(frozen=True, eq=False)
class Estimate:
    """Values and the ends of their intervals, NaN if there is no interval."""

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
        """One value in a sentence: "3.1 [2.8, 3.4] meV"."""
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
        """The values at x; unknown intervals have no width."""
        value, low, high = (part * scale for part in self.parts)
        low, high = (torch.where(end.isfinite(), end, value).tolist() for end in (low, high))
        return Series(label, x, value.tolist(), low, high, style)

    @property
    def parts(self) -> tuple[Tensor, Tensor, Tensor]:
        """The values, the lower ends, the upper ends."""
        return self.value, self.low, self.high


def median(values: Float[Tensor, m * c]) -> Estimate:
    """The median of each column, with its interval if there are 6 molecules or more.

    Interpolates between the two pairs of order statistics whose coverage is just above and just
    below 95 %. Source: Hettmansperger and Sheather, Statistics and Probability Letters 4,
    75 (1986).
    """
    m, ordered = len(values), values.double().sort(0).values
    middle = (ordered[(m - 1) // 2] + ordered[m // 2]) / 2
    if m < FEWEST:
        return alone(middle)
    k = np.arange(1, m // 2 + 1)  # the interval from the k-th smallest to the k-th largest
    held = binom.cdf(m - k, m, 0.5) - binom.cdf(k - 1, m, 0.5)
    last = int((held >= CONFIDENCE).sum())
    part = (held[last - 1] - CONFIDENCE) / (held[last - 1] - held[last])
    part = (m - last) * part / (last + (m - 2 * last) * part)
    low = (1 - part) * ordered[last - 1] + part * ordered[last]
    high = (1 - part) * ordered[m - last] + part * ordered[m - last - 1]
    return Estimate(middle, low, high)


def of_halves(
    function: Callable[[Float[Tensor, "*c"]], Float[Tensor, "*e"]],
    values: Float[Tensor, m * c],
    seed: int = 0,
) -> Estimate:
    """function(mean over molecules); the ends are its values for two random halves of them.

    They are not an interval. They show how far chance moves a number that is not a median.
    """
    whole = function(values.double().mean(0))
    if len(values) < 2:
        return alone(whole)
    order = torch.randperm(len(values), generator=torch.Generator().manual_seed(seed))
    parts = [function(values[half].double().mean(0)) for half in order.chunk(2)]
    return Estimate(whole, torch.minimum(*parts), torch.maximum(*parts))


def alone(value: Float[Tensor, "*e"]) -> Estimate:
    """Values without intervals."""
    none = torch.full_like(value, torch.nan)
    return Estimate(value, none, none)


def short(value: float) -> str:
    """Three digits: 0.0123, 1,230."""
    rounded = float(f"{value:.3g}")
    return f"{rounded:,.0f}" if 1e3 <= abs(rounded) < 1e6 else f"{rounded:g}"
