"""Report section: the power of f(g x) in each Wigner-D degree."""

from __future__ import annotations

from ...errors import InputError
from ..intervals import Estimate, median
from ..section import Section, plain
from ..settings import Settings
from ..subject import Subject
from ..wording import EACH, measured_on, mentioned
from .orbits import Orbits

_LIKE = {
    1: "like a vector's component along an axis fixed in space: a field",
    2: "like a quadrupole: an axis fixed in space with equivalent directions",
    3: "like an octupole: several axes fixed in space with different directions",
    4: "like a cubic grid fixed in space: three axes with equivalent directions",
}
_TURNED_BACK = {
    ("vector", 1): "like a constant vector, fixed in space, added to the output",
    ("atom vector", 1): "like a constant vector, fixed in space, added to the output",
    ("tensor", 2): "like a constant tensor, fixed in space, added to the output",
}


def section(orbits: Orbits, settings: Settings) -> Section:
    """Power by degree as a fraction of each molecule's variance, and the fraction above.

    The powers of all degrees from 1 sum to the variance (Parseval). The rule ascribes part of the
    power above its degrees to lower ones, so the fraction above is measured in other orientations.
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
            f"{name} changes too fast with orientation for degrees up to {orbits.degree}, which "
            f"explain {100 * (1 - min(1.0, float(orbits.left[q]))):.0f} % of its variance in other "
            "orientations."
        )
    l = int(share.value[q].argmax()) + 1
    return (
        f"{name} depends on orientation mainly through degree l = {l}, with "
        f"{share.text(q, l - 1, unit='%', scale=100)} of a molecule's variance over orientations: "
        f"{like(subject, l)}."
    )


def like(subject: Subject, l: int) -> str:
    """A degree of rotation, described in words."""
    finer = f"finer detail than a quadrupole: it changes sign within about {180 / l:.0f} degrees"
    return _TURNED_BACK.get((subject.kind, l)) or _LIKE.get(l, finer)


def _warning(names: list[str], orbits: Orbits) -> str:
    shown = ", ".join(names[:EACH]) + (f" and {len(names) - EACH} more" if names[EACH:] else "")
    return (
        f"Warning: degrees up to l = {orbits.degree} do not explain the changes of {shown}, so no "
        f"fraction is certain: pass --degree {3 * orbits.degree + 1} or fewer molecules."
    )
