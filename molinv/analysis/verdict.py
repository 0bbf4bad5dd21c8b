"""Five lines in plain words, made from the numbers of the parts."""

from __future__ import annotations

import torch

from .analyse import Analysis
from .orbits.statistics import invariant


def verdict(analysis: Analysis) -> list[str]:
    """Is it invariant, what does that cost, which rotations, which layers, does mu agree.

    A part that was not made is named as such. Of several quantities, the lines are about the one
    whose orbit is widest relative to the differences between molecules.
    """
    orbits = analysis.orbits
    between = orbits.mean.view(*orbits.variance.shape, -1).var(0, correction=0).sum(-1)
    size = torch.where(between > 0, between, orbits.power[..., 0].mean(0)).clamp_min(1e-300)
    q = int((orbits.variance.mean(0) / size).argmax())
    cost, degrees = _cost(analysis, q), _degrees(analysis, q)
    where, agreement = (analysis.numbers(part).get("verdict") for part in ("lie", "tolerance"))
    return [
        _invariance(analysis, q, float(between[q].sqrt())),
        cost or _missing(analysis, "loss", "What broken symmetry costs"),
        degrees or _missing(analysis, "spectrum", "Which rotations it depends on"),
        where or _missing(analysis, "lie", "Where in the network it is made"),
        agreement
        or _missing(analysis, "tolerance", "Whether the learned distribution agrees with that"),
    ]


def _missing(analysis: Analysis, part: str, what: str) -> str:
    reason = next((s.missing for s in analysis.sections if s.name == part), None)
    return f"{what}: not measured" + (f" ({reason.rstrip('.')})." if reason else ".")


def _invariance(analysis: Analysis, q: int, spread: float) -> str:
    subject, orbits = analysis.subject, analysis.orbits
    quantity, word = subject.quantities[q], subject.symmetry
    size = float(orbits.power[:, q, 0].mean().sqrt())
    std = float(orbits.variance[:, q].mean().sqrt())
    where = f"{len(orbits.variance):,} molecules in {len(orbits.weights)} orientations"
    where += ", the length over all atoms of each" if subject.by_atom else ""
    unit = f" {quantity.unit}".rstrip()
    if invariant(orbits)[q]:
        return (
            f"{subject.name} is {word} under all rotations to rounding: {quantity.name} of a "
            f"molecule varies by {std:.2g}{unit} beside {size:.3g}{unit} ({where})."
        )
    among = "" if len(subject.quantities) == 1 else f" (of {len(subject.quantities)} the widest)"
    share = f", {std / spread:.2g} times what molecules differ by" if spread > 0 else ""
    error = float(orbits.error[:, q].mean())
    if error == error:
        share = f", {100 * std / error:.2g} % of its mean absolute error of {error:.3g}{unit}"
    return (
        f"{subject.name} is {'nearly' if std < 0.2 * spread else 'not'} {word}: turning a "
        f"molecule changes {quantity.name}{among} by {std:.3g}{unit} (standard deviation{share}; "
        f"{where})."
    )


def _cost(analysis: Analysis, q: int) -> str | None:
    found = analysis.numbers("loss")
    if not found:
        return None
    value, low, high = (found["share"][k][q] for k in ("value", "low", "high"))
    interval = "" if low is None or high is None else f" [{100 * low:.2g}, {100 * high:.2g}]"
    quantity = analysis.subject.quantities[q]
    return (
        f"Broken symmetry makes {100 * value:.2g}{interval} % of the squared error of "
        f"{quantity.name} on rotated molecules; averaging over orientations would lower its mean "
        f"absolute error by {found['absolute_saved']['value'][q]:.2g} {quantity.unit}."
    )


def _degrees(analysis: Analysis, q: int) -> str | None:
    found = analysis.numbers("spectrum")
    if not found:
        return None
    if found["invariant"][q]:
        return "No degree of rotation holds any power above rounding."
    shares, left = found["share"]["value"][q], found["residual"]["value"][q]
    top = max(range(len(shares)), key=lambda i: shares[i])
    return (
        f"Of that change {100 * shares[top]:.3g} % is of degree l = {top + 1}, "
        f"{found['like'][q]}; {100 * left:.2g} % lies above l = {len(shares)}."
    )
