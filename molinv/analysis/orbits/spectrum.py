"""Which degrees of rotation the output depends on: the power of f(g x) in each Wigner-D degree."""

from __future__ import annotations

from math import ceil, log

import torch
from jaxtyping import Float
from torch import Tensor

from ...quadrature import so3
from ..bootstrap import Estimate, of_means
from ..section import Section, plain
from ..settings import Settings
from ..subject import Subject
from ..wording import EACH, measured_on, mentioned
from .orbits import Orbits
from .statistics import invariant

TOLERATED = 0.05  # fraction of the variance above the largest known degree
_HIGHEST = 131  # the largest degree that has a rule

_LIKE = {
    1: "like the component of a vector along an axis fixed in space: a field",
    2: "like a quadrupole: an axis fixed in space whose two directions are alike",
    3: "like an octupole: axes fixed in space whose two directions differ, and no single one",
    4: "like a cubic grid fixed in space: its three axes, both directions alike",
}
_TURNED_BACK = {
    ("vector", 1): "like a constant vector, fixed in space, added to the output",
    ("atom vector", 1): "like a constant vector, fixed in space, added to the output",
    ("tensor", 2): "like a constant tensor, fixed in space, added to the output",
}


def section(orbits: Orbits, settings: Settings) -> Section:
    """Power by degree as a fraction of the variance, and the rest above the largest known degree.

    Parseval: the powers of all degrees from 1 sum to the variance. Both are the rule's, so the
    missing part is the power above its largest known degree L; where that is not small, its
    power is partly ascribed to degrees near L and the variance itself is not exact.
    """
    subject, known = orbits.subject, orbits.degree
    powers = torch.cat([orbits.power[..., 1:], orbits.variance[..., None]], -1)
    share = of_means(_shares, powers, settings)
    still = invariant(orbits)
    variance, parseval = orbits.variance.mean(0), orbits.power[..., 1:].sum(-1).mean(0)
    residual = torch.where(still, 0.0, share.value[:, -1])
    made = Section("spectrum", "Which rotations it depends on, by degree")
    made.findings.append(measured_on(orbits, settings))
    for q in mentioned(variance / orbits.power[..., 0].mean(0)):
        made.findings.append(_sentence(subject, q, share, bool(still[q])))
    worst = int(residual.argmax())
    suggestion = suggested_degree(share.value[worst])
    if residual[worst] > TOLERATED:
        names = [n for n, r in zip(subject.names, residual, strict=True) if r > TOLERATED]
        made.findings.append(_warning(names, float(residual[worst]), known, suggestion))
    bars = [f"l = {l}" for l in range(1, known + 1)] + [f"l > {known}"]
    style = "bar" if len(subject.quantities) <= EACH else "points"
    made.chart(
        "spectrum",
        "Variance over orientations by degree",
        "degree of the Wigner-D functions",
        "share of the variance (%)",
        [share[q].series(name, bars, style, 100) for q, name in enumerate(subject.names)],
        caption="l = 1 is a direction fixed in space, l = 2 an axis; an invariant output has none.",
    )
    rows = [
        [n.name, f"({n.unit})^2", float(parseval[q]), float(variance[q])]
        + [share.text(q, l, scale=100) for l in range(known + 1)]
        for q, n in enumerate(subject.quantities)
    ]
    columns = ["quantity", "unit", "sum of powers", "variance", *(f"{bar}, %" for bar in bars)]
    made.table("Power by degree, means over molecules", columns, rows)
    made.numbers = {
        "quantities": subject.names,
        "degree_known": known,
        "degrees": list(range(1, known + 1)),
        "share": share[:, :-1].numbers(),
        "residual": share[:, -1].numbers(),
        "power": plain(orbits.power.mean(0)),
        "parseval": plain(parseval),
        "variance": plain(variance),
        "invariant": still.tolist(),
        "like": [_like(subject, int(row[:-1].argmax()) + 1) for row in share.value],
        "suggested_degree": suggestion if residual[worst] > TOLERATED else None,
    }
    return made


def suggested_degree(shares: Float[Tensor, " l"]) -> int:
    """The degree of a rule that leaves less than 5 % above what it knows.

    From the shares of l = 1 to L and the residual, which is assumed to fall from one degree to the
    next as it last did. At most twice as many degrees are asked for at once.
    """
    known = len(shares) - 1
    left = float(shares[-1])
    before = left + float(shares[-2])
    fall = left / before if 0 < left < before else 1.0
    steps = ceil(log(TOLERATED / left) / log(fall)) if fall < 1 and left > TOLERATED else known
    return min(_HIGHEST, 2 * (known + min(max(1, steps), known)) + 1)


def _shares(powers: Float[Tensor, "*n t l"]) -> Float[Tensor, "*n t l"]:
    """Each degree's share of the variance, which comes last and is replaced by the residual."""
    whole = powers[..., -1:]
    shares = powers[..., :-1] / torch.where(whole == 0, 1.0, whole)
    left = torch.where(whole[..., 0] == 0, 0.0, 1 - shares.sum(-1))
    return torch.cat([shares, left[..., None]], -1)


def _sentence(subject: Subject, q: int, share: Estimate, still: bool) -> str:
    name = subject.names[q]
    if still:
        return (
            f"{name} has no power in any degree from 1 beyond rounding: it is {subject.symmetry}."
        )
    l = int(share.value[q, :-1].argmax()) + 1
    return (
        f"{name} depends on orientation most by degree l = {l}, with "
        f"{share.text(q, l - 1, unit='%', scale=100)} of the variance over orientations: "
        f"{_like(subject, l)}."
    )


def _like(subject: Subject, l: int) -> str:
    finer = f"finer detail than a quadrupole: it changes sign within about {180 / l:.0f} degrees"
    return _TURNED_BACK.get((subject.kind, l)) or _LIKE.get(l, finer)


def _warning(names: list[str], residual: float, known: int, suggestion: int) -> str:
    shown = ", ".join(names[:EACH]) + (f" and {len(names) - EACH} more" if names[EACH:] else "")
    count = len(so3(suggestion)[1])
    return (
        f"Warning: up to {100 * residual:.2g} % of the variance ({shown}) lies above l = {known}, "
        f"the largest degree known here, so shares near l = {known} are uncertain: pass "
        f"--degree {suggestion} ({count:,} orientations) to resolve it."
    )
