"""Known facts about the symmetry of a task, and tests whether a distribution has learned them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import degrees, pi

import numpy as np
import torch
from jaxtyping import Bool, Float

from ...distributions import Distribution, Gaussian
from ...groups import Group, LearnedBasis, cosines
from ...groups import span as spanned


class Truth(ABC):
    """One known fact about the distribution that should be learned.

    A measure called `name` should have `value`, in `unit`, up to `tolerance`.
    """

    name: str
    unit: str
    value: float
    tolerance: float

    @abstractmethod
    def measure(self, mu: Distribution) -> float:
        """The measure of a learned distribution, to compare with `value`."""

    @abstractmethod
    def holds(self, learned: float) -> bool:
        """Whether a measured number agrees with `value`."""


@dataclass(frozen=True)
class ExtentIs(Truth):
    """The extent called `name` is `value`, in `unit`, up to `tolerance` either way."""

    name: str
    value: float
    unit: str
    tolerance: float

    def measure(self, mu: Distribution) -> float:
        return float(mu.extent()[self.name].value.detach().mean())

    def holds(self, learned: float) -> bool:
        return abs(learned - self.value) <= self.tolerance


@dataclass(frozen=True)
class AxisIs(Truth):
    """A Gaussian's leading eigenvector lies along `axis`; measures their angle in degrees."""

    axis: tuple[float, float, float]
    value: float = 0.0
    unit: str = "degrees"
    tolerance: float = 10.0
    name: str = "axis"

    def measure(self, mu: Distribution) -> float:
        assert isinstance(mu, Gaussian)
        leading = torch.linalg.eigh(mu.covariance().detach().double().cpu())[1][:, -1]
        along = torch.tensor(self.axis, dtype=torch.float64)
        return degrees(float((leading @ along / along.norm()).abs().clamp(max=1).acos()))

    def holds(self, learned: float) -> bool:
        return learned <= self.tolerance


@dataclass(frozen=True)
class SpanIs(Truth):
    """A learned basis spans the algebra of `group`; measures the smallest cosine between the two.

    The measure is 0 if the numbers of directions differ.
    """

    group: Group
    value: float = 1.0
    unit: str = "cosine"
    tolerance: float = 0.01
    name: str = "span"

    def measure(self, mu: Distribution) -> float:
        assert isinstance(mu.group, LearnedBasis)
        if isinstance(mu, Gaussian):
            used = mu.group.span(mu.covariance())
        else:
            used = mu.group.span(torch.stack([e.value for e in mu.extent().values()]))
        if len(used) != self.group.k:
            return 0.0
        algebra = spanned(self.group.generators, torch.ones(self.group.k))
        return float(cosines(used, algebra).min())

    def holds(self, learned: float) -> bool:
        return learned >= self.value - self.tolerance


@dataclass(frozen=True, eq=False)
class Separates(Truth):
    """The extents called `names`, of a distribution that is bound to inputs, separate two kinds.

    Measures the area under the ROC curve of their sum, with the `free` inputs as positives. `free`
    is (n,), one entry per input, in order. The task's has an entry for every molecule; use `of`
    to choose the molecules that the distribution is bound to.
    """

    names: tuple[str, ...]
    free: Bool[np.ndarray, " n"]
    value: float = 1.0
    unit: str = "AUC"
    tolerance: float = 0.05
    name: str = "separation"

    def of(self, indices: np.ndarray) -> Separates:
        """The same fact for some of the molecules."""
        return Separates(self.names, self.free[indices])

    def measure(self, mu: Distribution) -> float:
        extents = mu.extent()
        total = sum(extents[name].value.detach().cpu().double() for name in self.names)
        return auc(np.asarray(total), self.free)

    def holds(self, learned: float) -> bool:
        return learned >= self.value - self.tolerance


def auc(scores: Float[np.ndarray, " n"], positive: Bool[np.ndarray, " n"]) -> float:
    """The probability that a positive scores above a negative; a tie counts half."""
    from scipy.stats import rankdata

    ranks, m = rankdata(scores), int(positive.sum())
    return float((ranks[positive].sum() - m * (m + 1) / 2) / (m * (len(scores) - m)))


def width(name: str, value: float, unit: str = "rad", tolerance: float | None = None) -> ExtentIs:
    """A half-width; the default tolerance is 0.25 rad for 0 and pi, and 10 % for other values."""
    if tolerance is None:
        tolerance = 0.25 if value in (0.0, pi) else 0.1 * value
    return ExtentIs(name, value, unit, tolerance)
