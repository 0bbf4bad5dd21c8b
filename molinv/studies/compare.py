"""Compare two cross-validations of the same folds with a corrected paired t-test.

The errors of folds are not independent, because their training sets overlap. An ordinary paired
t-test therefore finds differences where there are none. The corrected test multiplies the variance
of the n differences by 1/n + test/train, with the sizes of the parts, instead of by 1/n (Nadeau and
Bengio, Machine Learning 52, 239 (2003), section 3; for repeated folds Bouckaert and Frank, PAKDD
2004).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import nan, sqrt
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64
from rich.markup import escape
from rich.table import Table

from ..errors import InputError
from .crossvalidate import Result, read_results

LEVEL = 0.05  # significance level


class Paired(NamedTuple):
    """The errors of two models in n shared folds, and p-values of their difference.

    `first` and `second` are mean errors, `difference` the mean of second - first, and `std` the
    standard deviation of the differences. Two-sided p-values: `p` of the corrected t-test, `plain`
    of the uncorrected t-test, `wilcoxon` of Wilcoxon's signed-rank test. The t-tests' are NaN if
    all differences are equal, and Wilcoxon's if all are zero.
    """

    name: str
    measure: str
    unit: str
    n: int
    first: float
    second: float
    difference: float
    std: float
    p: float
    plain: float
    wilcoxon: float


def compare(first: str | Path, second: str | Path) -> list[Paired]:
    """Compare the targets that two cross-validations share, over folds that both have measured.

    Arguments are the folders of `crossvalidate`. Raises InputError if the folds have different
    molecules, if no target is shared, and for fewer than two shared folds.
    """
    one, other = read_results(first), read_results(second)
    pairs = _pairs(one, other, str(first), str(second))
    shared = [name for name in one["targets"] if name in other["targets"]]
    if not shared:
        raise InputError(
            f"{first} has {', '.join(one['targets'])}, {second} {', '.join(other['targets'])}: "
            "expected a target in common."
        )
    made = []
    for name in shared:
        row, there = one["targets"][name], other["targets"][name]
        if (row["measure"], row["unit"]) != (there["measure"], there["unit"]):
            raise InputError(
                f"{name!r} is measured by {row['measure']} {row['unit']} in {first}, by "
                f"{there['measure']} {there['unit']} in {second}: train both alike."
            )
        known = [
            (a, b)
            for a, b in pairs
            if a["errors"].get(name) is not None and b["errors"].get(name) is not None
        ]
        if len(known) < 2:
            raise InputError(
                f"{name!r} is measured in {len(known)} shared folds of {first} and {second}: a "
                "comparison needs 2 or more."
            )
        x, y = (np.array([r["errors"][name] for r in side]) for side in zip(*known, strict=True))
        sizes = [a["molecules"] for a, _ in known]
        share = float(np.mean([s["test"] / s["train"] for s in sizes]))
        made.append(paired(name, row["measure"], row["unit"], x, y, share))
    return made


def paired(
    name: str,
    measure: str,
    unit: str,
    x: Float64[np.ndarray, " n"],
    y: Float64[np.ndarray, " n"],
    share: float,
) -> Paired:
    """The statistics of n pairs of errors; `share` is the ratio of test to training molecules."""
    from scipy import stats

    d, n = y - x, len(x)
    variance, p, plain, wilcoxon = float(np.var(d, ddof=1)), nan, nan, nan
    # no t-test for differences that vary only by rounding
    if variance > (1e-12 * np.abs([x, y]).max()) ** 2:
        t = float(d.mean()) / sqrt((1 / n + share) * variance)
        p = float(2 * stats.t.sf(abs(t), n - 1))
        plain = float(stats.ttest_rel(y, x).pvalue)  # pyright: ignore[reportAttributeAccessIssue]
    if d.any():
        wilcoxon = float(stats.wilcoxon(d).pvalue)  # pyright: ignore[reportAttributeAccessIssue]
    means = float(x.mean()), float(y.mean()), float(d.mean())
    return Paired(name, measure, unit, n, *means, sqrt(variance), p, plain, wilcoxon)


def table(found: Sequence[Paired], first: str, second: str) -> Table:
    """The statistics as a table to print."""
    title = f"A: {escape(first)}, B: {escape(second)}, paired by fold, with p-values"
    made = Table("target", "measure", title=title)
    for name in ("folds", "A", "B", "B - A", "std", "corrected", "t-test", "Wilcoxon"):
        made.add_column(name, justify="right")
    for r in found:
        numbers = [f"{x:.4g}" for x in (r.first, r.second, r.difference, r.std)]
        chances = ["-" if p != p else f"{p:.2g}" for p in (r.p, r.plain, r.wilcoxon)]
        what = f"{r.measure}, {r.unit}" if r.unit else r.measure
        made.add_row(escape(r.name), escape(what), str(r.n), *numbers, *chances)
    return made


def sentence(r: Paired, first: str, second: str) -> str:
    """Summarise the statistics of a target in one sentence."""
    unit = f" {r.unit}" if r.unit else ""
    head = f"{r.name}: over {r.n} shared folds the {r.measure} of {second} is"
    if r.difference == 0 or r.p != r.p:
        how = "equal to" if r.difference == 0 else f"{abs(r.difference):.3g}{unit} from"
        return f"{head} {how} that of {first} in every fold."
    way = "higher" if r.difference > 0 else "lower"
    percent = f" ({abs(r.difference / r.first):.1%})" if r.first else ""
    better = (r.difference > 0) == (r.measure == "ROC-AUC")
    sure = f"{second if better else first} is better" if r.p < LEVEL else "this may be chance"
    wilcoxon = "" if r.wilcoxon != r.wilcoxon else f", Wilcoxon's test p = {r.wilcoxon:.2g}"
    least = 2.0 ** (1 - r.n)
    few = f" (with {r.n} folds it is never below {least:.2g})" if least > LEVEL and wilcoxon else ""
    return (
        f"{head} {abs(r.difference):.3g}{unit}{percent} {way} than that of {first}; {sure}: "
        f"paired t-test corrected for overlapping training sets p = {r.p:.2g}{wilcoxon}{few}."
    )


def _pairs(one: Result, other: Result, first: str, second: str) -> list[tuple[Result, Result]]:
    """Pairs of results with the same seed and fold.

    Raises InputError if there are none, and if their parts have different molecules.
    """
    there = {(r["seed"], r["fold"]): r for r in other["results"] if "errors" in r}
    pairs = [
        (r, there[r["seed"], r["fold"]])
        for r in one["results"]
        if "errors" in r and (r["seed"], r["fold"]) in there
    ]
    if one["folds"] != other["folds"] or not pairs:
        raise InputError(
            f"{first} has {one['folds']} folds and {second} {other['folds']}, of which "
            f"{len(pairs)} have the same seed and number: make both with the same --folds, --seeds "
            "and --seed."
        )
    for a, b in pairs:
        if a["split"] != b["split"]:
            raise InputError(
                f"fold {a['fold']} of seed {a['seed']} has other molecules in {first} than in "
                f"{second}: make both of the same file, with the same --split and --train_size."
            )
    return pairs
