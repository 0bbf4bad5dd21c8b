"""Which degrees of rotation the output depends on: the power of f(g x) in each Wigner-D degree."""

from __future__ import annotations

from ...errors import InputError
from ...quadrature import so3
from ..intervals import Estimate, median
from ..section import Section, plain
from ..settings import Settings
from ..subject import Subject
from ..wording import EACH, measured_on, mentioned
from .orbits import Orbits
from .resolved import higher

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
    """Power by degree as a fraction of each molecule's variance, and what lies above.

    Parseval: the powers of all degrees from 1 sum to the variance. What the known degrees leave is
    measured in orientations that the rule does not have: power above them is partly ascribed to
    lower degrees by the rule itself, which its own numbers do not show.
    """
    subject, known, still = orbits.subject, orbits.degree, orbits.still
    variance = orbits.variance.mean(0)
    made = Section("spectrum", "Which rotations it depends on, by degree")
    if known == 0:
        raise InputError("no orientation changes anything beyond rounding: no degree has power.")
    share = median(orbits.power[..., 1:] / orbits.variance[..., None].clamp_min(1e-300))
    left = median(orbits.beyond)
    made.findings.append(measured_on(orbits))
    for q in mentioned(variance / orbits.power[..., 0].mean(0)):
        made.findings.append(_sentence(orbits, q, share))
    if unresolved := [n for n, r in zip(subject.names, orbits.resolved, strict=True) if not r]:
        made.findings.append(_warning(unresolved, orbits))
    bars = [f"l = {l}" for l in range(1, known + 1)]
    style = "bar" if len(subject.quantities) <= EACH else "points"
    lines = [
        Estimate.stack([*share[q], left[q]]) if orbits.beyond.isfinite().any() else share[q]
        for q in range(len(subject.names))
    ]
    made.chart(
        "spectrum",
        "Variance over orientations by degree",
        "degree of the Wigner-D functions",
        "share of the variance (%), median of the molecules",
        [
            line.series(name, [*bars, f"l > {known}"][: len(line.value)], style, 100)
            for name, line in zip(subject.names, lines, strict=True)
        ],
        caption="l = 1 is a direction fixed in space, l = 2 an axis; an invariant output has none. "
        "Medians need not add up to 100 %.",
    )
    rows = [
        [n.name, f"({n.unit})^2", float(variance[q])]
        + [share.text(q, l, scale=100) for l in range(known)]
        + [left.text(q, scale=100)]
        for q, n in enumerate(subject.quantities)
    ]
    columns = ["quantity", "unit", "variance, mean", *(f"{b}, %" for b in bars), f"l > {known}, %"]
    made.table("Power by degree, medians of the molecules' shares", columns, rows)
    made.numbers = {
        "quantities": subject.names,
        "degree_known": known,
        "degrees": list(range(1, known + 1)),
        "share": share.numbers(),
        "beyond": left.numbers(),
        "resolved": orbits.resolved.tolist(),
        "power": plain(orbits.power.mean(0)),
        "variance": plain(variance),
        "invariant": still.tolist(),
        "like": [like(subject, int(row.argmax()) + 1) for row in share.value],
    }
    return made


def _sentence(orbits: Orbits, q: int, share: Estimate) -> str:
    subject, name = orbits.subject, orbits.subject.names[q]
    if orbits.still[q]:
        return (
            f"{name} has no power in any degree from 1 beyond rounding: it is {subject.symmetry}."
        )
    if not orbits.resolved[q]:
        return (
            f"{name} changes faster with orientation than degrees up to {orbits.degree} can "
            f"follow: these explain {100 * (1 - min(1.0, float(orbits.left[q]))):.0f} % of its "
            "variance in other orientations."
        )
    l = int(share.value[q].argmax()) + 1
    return (
        f"{name} depends on orientation most by degree l = {l}, with "
        f"{share.text(q, l - 1, unit='%', scale=100)} of a molecule's variance over orientations: "
        f"{like(subject, l)}."
    )


def like(subject: Subject, l: int) -> str:
    """What a degree of rotation is like, in words."""
    finer = f"finer detail than a quadrupole: it changes sign within about {180 / l:.0f} degrees"
    return _TURNED_BACK.get((subject.kind, l)) or _LIKE.get(l, finer)


def _warning(names: list[str], orbits: Orbits) -> str:
    shown = ", ".join(names[:EACH]) + (f" and {len(names) - EACH} more" if names[EACH:] else "")
    text = (
        f"Warning: degrees up to l = {orbits.degree} do not explain how {shown} changes, so no "
        "share is certain"
    )
    more = higher(2 * orbits.degree)
    if more is None:
        return f"{text}."
    count = len(so3(more)[1])
    return f"{text}: pass --degree {more} ({count:,} orientations), or fewer molecules."
