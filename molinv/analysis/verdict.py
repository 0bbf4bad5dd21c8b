"""The verdict, yes, almost or no, with its reasons, from the numbers of the parts."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isfinite

import torch
from jaxtyping import Float
from torch import Tensor

from .intervals import Estimate, alone, median, short
from .orbits import Orbits
from .orbits.maps import label
from .parts import STILL, Analysis
from .section import Section

OF_ERROR = 0.2  # a small fraction of the model's error
OF_DIFFERENCES = 0.05  # a small fraction of the differences between molecules


@dataclass(frozen=True)
class Judged:
    """Whether a quantity is invariant.

    answer  "yes" if no orientation changes it beyond rounding, "almost" if `std` <= `limit`, else
            "no"
    std     median over molecules of the standard deviation over orientations
    limit   the limit of `std`, NaN if there is none
    basis   where the limit comes from, in words
    """

    answer: str
    std: float
    limit: float
    basis: str

    @property
    def ratio(self) -> float:
        """std / limit, to compare quantities."""
        if self.answer == "yes":
            return 0.0
        return self.std / self.limit if self.limit > 0 else inf


def judge(orbits: Orbits, q: int, threshold: float | None = None) -> Judged:
    """Judge quantity q by the threshold, else the model's error, else molecules' differences.

    `threshold` is in the quantity's unit. All are medians, so no single molecule decides.
    """
    std, unit = float(orbits.std[:, q].median()), orbits.subject.quantities[q].unit
    differ = float(orbits.differences[q])
    limit, basis = float("nan"), ""
    if threshold is not None:
        limit, basis = threshold, "the threshold that was given"
    elif orbits.structures.y is not None:
        limit = OF_ERROR * float(orbits.error[:, q].median())
        basis = f"{OF_ERROR:.0%} of its median error"
    elif isfinite(differ):
        limit, what = OF_DIFFERENCES * differ, "what molecules of one composition differ by"
        basis = f"{OF_DIFFERENCES:.0%} of {'its length' if orbits.entries else what}"
    if isfinite(limit):
        basis = f"{basis}, {limit:.3g} {unit}".rstrip()
    answer = "yes" if orbits.still[q] else "almost" if std <= limit else "no"
    return Judged(answer, std, limit, basis)


def judge_change(
    orbits: Orbits, q: int, away: Float[Tensor, " m"], threshold: float | None = None
) -> tuple[str, float | None]:
    """ "yes", "almost" or "no" for the changes by another operation, and the limit used."""
    limit = judge(orbits, q, threshold).limit
    changed = torch.zeros(len(away), orbits.std.shape[1], dtype=torch.float64)
    changed[:, q] = away
    if bool(orbits.within_rounding(changed)[q]):
        return "yes", limit if isfinite(limit) else None
    small = float(away.median()) <= limit
    return "almost" if small else "no", limit if isfinite(limit) else None


def at_one_look(orbits: Orbits, threshold: float | None = None) -> Section:
    """Bars for each quantity: what orientation changes, the error, what molecules differ by."""
    made = Section("answer", "At one look", top=True)
    made.reading = "Orientation matters little where its bar is far below the others."
    std, error = median(orbits.std), median(orbits.error)
    judged = [judge(orbits, q, threshold) for q in range(len(orbits.subject.quantities))]
    # the page shows the first: the quantity of the verdict
    for q in sorted(range(len(judged)), key=lambda q: -judged[q].ratio):
        found, quantity = judged[q], orbits.subject.quantities[q]
        bars = {"orientation changes": std[q]}
        if orbits.structures.y is not None:
            bars["the model's error"] = error[q]
        if isfinite(differ := float(orbits.differences[q])):
            what = "its length" if orbits.entries else "molecules differ by"
            bars[what] = alone(orbits.differences[q])
        made.chart(
            "answer",
            "What orientation changes, beside what matters",
            "",
            quantity.axis(f"{quantity.name}, median"),
            [Estimate.stack([*bars.values()]).series(quantity.name, [*bars], "bar")],
            caption=f"The limit is {found.basis}." if found.basis else "",
            log_y=True,
            quantity=quantity.name,
        )
        made.numbers[quantity.name] = {
            "answer": found.answer,
            "std": found.std,
            "limit": found.limit if isfinite(found.limit) else None,
            "differences": differ if isfinite(differ) else None,
        }
    return made


def verdict(analysis: Analysis, threshold: float | None = None) -> list[str]:
    """Lines on invariance, its cost, degrees, symmetries, layers and the learned distribution.

    They are about the quantity that is farthest from invariant. If that is invariant, there is one
    line.
    """
    orbits = analysis.orbits
    each = [judge(orbits, q, threshold) for q in range(len(orbits.subject.quantities))]
    q = max(range(len(each)), key=lambda i: each[i].ratio)
    first = _invariance(analysis, q, each[q])
    if each[q].answer == "yes" and {s.name for s in analysis.sections} <= {*STILL}:
        return [first]
    parts = [_cost(analysis, q), _degrees(analysis, q), _symmetries(analysis, q)]
    parts += [analysis.numbers(part).get("verdict") for part in ("lie", "tolerance")]
    return [first, *(line for line in parts if line)]


def differences(one: Analysis, other: Analysis) -> list[str]:
    """Paired differences between two subjects, or a sentence that their molecules differ."""
    a, b = one.structures, other.structures
    same = len(a) == len(b) and all(
        p.shape == q.shape and bool((p - q).abs().max() < 1e-3)
        for p, q in zip(a.pos, b.pos, strict=True)
    )
    made = [] if same else ["The two have different molecules, so no differences are paired."]
    for q, quantity in enumerate(one.subject.quantities if same else ()):
        if quantity not in other.subject.quantities:
            continue
        k = other.subject.quantities.index(quantity)
        away = (other.orbits.std[:, k] - one.orbits.std[:, q])[:, None]
        sign, word = (-1, "smaller") if float(away.median()) < 0 else (1, "larger")
        made.append(
            f"On the same molecules, the standard deviation of {quantity.name} over orientations "
            f"is {median(sign * away).text(0, unit=quantity.unit)} {word} for {other.subject.name} "
            f"than for {one.subject.name} (median of the differences)."
        )
    return made


def _invariance(analysis: Analysis, q: int, found: Judged) -> str:
    subject, orbits = analysis.subject, analysis.orbits
    quantity, word, m = subject.quantities[q], subject.symmetry, len(orbits.variance)
    unit = f" {quantity.unit}".rstrip()
    where = f"{m:,} molecule{'s' * (m > 1)} in {len(orbits.weights):,} orientations"
    where += ", the length over all atoms of each" if subject.by_atom else ""
    if found.answer == "yes":
        size = float(orbits.power[:, q, 0].sqrt().median())
        return (
            f"Yes: {subject.name} is {word} under rotations, to within rounding. Turning a "
            f"molecule changes {quantity.name} by {found.std:.2g}{unit}, and its typical size is "
            f"{short(size)}{unit} ({where})."
        )
    among = f" (the largest of {len(each)})" if len(each := subject.quantities) > 1 else ""
    worst = int(orbits.std[:, q].argmax())
    most = f"{float(orbits.std[worst, q]):.3g}{unit} for {label(orbits.structures, worst)}"
    text = median(orbits.std[:, q : q + 1]).text(0, unit=quantity.unit)
    limit = f"the limit is {found.basis}" if found.basis else "no limit is known: give a threshold"
    how = "nearly" if found.answer == "almost" else "not" if found.basis else "not exactly"
    return (
        f"{found.answer.title()}: {subject.name} is {how} {word}. Turning a molecule changes "
        f"{quantity.name}{among} by {text} (standard deviation, median; at most {most}; {limit}; "
        f"{where})."
    )


def _cost(analysis: Analysis, q: int) -> str | None:
    found = analysis.numbers("loss")
    if not found:
        return None
    quantity, saved = analysis.subject.quantities[q], found["absolute_saved"][q]
    if found["share"][q] < 1e-8:
        return f"Broken symmetry causes none of the squared error of {quantity.name}."
    of = found["absolute_of_single_average"][q][0]
    less = f"lower the mean absolute error by {saved:.2g} {quantity.unit} of {of:.3g}"
    less = less if saved > 1e-6 * of else "not lower the mean absolute error"
    return (
        f"Broken symmetry causes {100 * found['share'][q]:.2g} % of the squared error of "
        f"{quantity.name} on rotated molecules. Averaging over orientations would {less}."
    )


def _degrees(analysis: Analysis, q: int) -> str | None:
    found, orbits = analysis.numbers("spectrum"), analysis.orbits
    if not found:
        return None
    if found["invariant"][q]:
        return "No degree of rotation has power above rounding."
    if not found["resolved"][q]:
        return (
            f"{analysis.subject.names[q]} changes too fast with orientation for degrees up to l = "
            f"{orbits.degree}, so the degrees that matter are not known: raise --degree."
        )
    shares = found["share"]["value"][q]
    top = max(range(len(shares)), key=lambda i: shares[i])
    return (
        f"{100 * shares[top]:.3g} % of that change has degree l = {top + 1}, "
        f"{found['like'][q]}; {100 * float(orbits.left[q]):.2g} % is above l = {len(shares)}."
    )


def _symmetries(analysis: Analysis, q: int) -> str | None:
    found = analysis.numbers("algebra").get(analysis.subject.names[q])
    if not found:
        return None
    named = found["in random orientations"]["named"]
    return f"Symmetries found without assuming any: {named}."
