"""Five lines in plain words, made from the numbers of the parts."""

from __future__ import annotations

from typing import Any

import torch

from .analyse import Analysis
from .orbits.statistics import invariant

_NOT = "not measured"


def verdict(analysis: Analysis) -> list[str]:
    """Is it invariant, what does that cost, which rotations, from where, does mu agree.

    A part that was not made is named as such. With several quantities, the one whose orbit is
    widest beside the differences between molecules is spoken of.
    """
    q = _widest(analysis)
    lines = [_invariance, _cost, _degrees, _where, _agreement]
    return [line(analysis, q) for line in lines]


def _widest(analysis: Analysis) -> int:
    orbits = analysis.orbits
    between = orbits.mean.view(*orbits.variance.shape, -1).var(0, correction=0).sum(-1)
    size = torch.where(between > 0, between, orbits.power[..., 0].mean(0)).clamp_min(1e-300)
    return int((orbits.variance.mean(0) / size).argmax())


def _invariance(analysis: Analysis, q: int) -> str:
    subject, orbits = analysis.subject, analysis.orbits
    quantity = subject.quantities[q]
    word = "invariant" if subject.kind.endswith("scalar") else "equivariant"
    size = float(orbits.power[:, q, 0].mean().sqrt())
    std = float(orbits.variance[:, q].mean().sqrt())
    where = f"{len(orbits.variance):,} molecules in {len(orbits.weights)} orientations"
    where += ", the length over all atoms of each" if subject.by_atom else ""
    unit = f" {quantity.unit}".rstrip()
    if invariant(subject, orbits)[q]:
        return (
            f"{subject.name} is {word} under all rotations to rounding: {quantity.name} of a "
            f"molecule varies by {std:.2g}{unit} beside {size:.3g}{unit} ({where})."
        )
    among = "" if len(subject.quantities) == 1 else f" (of {len(subject.quantities)} the widest)"
    spread = float(
        orbits.mean[:, q].reshape(len(orbits.mean), -1).var(0, correction=0).sum().sqrt()
    )
    share = f", {std / spread:.2g} times what molecules differ by" if spread > 0 else ""
    error = float(orbits.error[:, q].mean())
    if error == error:
        share = f", {100 * std / error:.2g} % of its mean absolute error of {error:.3g}{unit}"
    return (
        f"{subject.name} is {'nearly' if std < 0.2 * spread else 'not'} {word}: turning a "
        f"molecule changes {quantity.name}{among} by {std:.3g}{unit} (standard deviation{share}; "
        f"{where})."
    )


def _cost(analysis: Analysis, q: int) -> str:
    found = analysis.numbers("loss")
    if not found:
        return f"What broken symmetry costs: {_NOT}{_reason(analysis, 'loss')}."
    share = found["share"]
    quantity = analysis.subject.quantities[q]
    saved = found["absolute_saved"]["value"][q]
    return (
        f"Broken symmetry makes {_percent(share, q)} of the squared error of {quantity.name} on "
        f"rotated molecules; averaging over orientations would lower its mean absolute error by "
        f"{saved:.2g} {quantity.unit}."
    )


def _degrees(analysis: Analysis, q: int) -> str:
    found = analysis.numbers("spectrum")
    if not found:
        return f"Which rotations it depends on: {_NOT}{_reason(analysis, 'spectrum')}."
    if found["invariant"][q]:
        return "No degree of rotation holds any power above rounding."
    shares = found["share"]["value"][q]
    top = max(range(len(shares)), key=lambda i: shares[i])
    left = found["residual"]["value"][q]
    return (
        f"Of that change {100 * shares[top]:.3g} % is of degree l = {top + 1}, "
        f"{found['like'][q]}; {100 * left:.2g} % lies above l = {len(shares)}."
    )


def _where(analysis: Analysis, q: int) -> str:
    return _sentence(analysis, "lie", "Where in the network it is made")


def _agreement(analysis: Analysis, q: int) -> str:
    return _sentence(analysis, "tolerance", "Whether the learned distribution agrees with that")


def _sentence(analysis: Analysis, part: str, what: str) -> str:
    """The sentence that a part puts into the verdict."""
    text = analysis.numbers(part).get("verdict")
    return text or f"{what}: {_NOT}{_reason(analysis, part)}."


def _reason(analysis: Analysis, part: str) -> str:
    missing = next((s.missing for s in analysis.sections if s.name == part), None)
    return f" ({missing.rstrip('.')})" if missing else ""


def _percent(estimate: dict[str, Any], q: int) -> str:
    value, low, high = (estimate[k][q] for k in ("value", "low", "high"))
    interval = "" if low is None or high is None else f" [{100 * low:.2g}, {100 * high:.2g}]"
    return f"{100 * value:.2g}{interval} %"
