"""How far a molecule may be turned before the error grows, beside what was learned."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ...errors import InputError
from ..bootstrap import Estimate, of_means
from ..orbits import Orbits
from ..section import Chart, Grid, Section, Series
from ..settings import Settings
from ..subject import Structures, Subject
from .agreement import AXES, NEVER, Learned, agrees, listed, reach, verdict
from .turning import ANGLES, GROWTH, ZERO, calls, sweep_angles, tolerated


def section(
    subject: Subject, structures: Structures, orbits: Orbits, settings: Settings
) -> Section:
    """Error against the angle about x, y and z, and the largest angle that costs under 5 %."""
    tick = settings.progress("angles about x, y and z", len(structures) * calls())
    errors = sweep_angles(subject, structures, settings, tick)  # (m, 3, angles, t)
    scale = _scale(errors, orbits, structures)
    curves = of_means(lambda means: means, errors, settings)
    m = len(structures)
    truth = structures.y is not None

    def growth(means: Tensor) -> Tensor:
        return ((means - means[..., ZERO : ZERO + 1, :]) / scale).movedim(-1, -3)

    def mean_growth(means: Tensor) -> Tensor:
        return growth(means).mean(-3)

    # (t, 3, 3): each axis in the negative, the positive and the worse direction
    angles = of_means(lambda means: tolerated(growth(means)), errors, settings)
    mean = of_means(lambda means: tolerated(mean_growth(means)), errors, settings)
    rise = of_means(mean_growth, errors, settings)
    top = of_means(lambda means: mean_growth(means).amax((-2, -1)), errors, settings)
    learned = reach(subject)
    known = errors[:, 0, ZERO].mean(0) > 0
    basis = "the error unturned" if bool(known.all()) else "the standard deviation over molecules"
    made = Section("tolerance", "How far it may be turned")
    made.numbers = {
        "angles": ANGLES.tolist(),
        "axes": list(AXES),
        "quantities": [q.name for q in subject.quantities],
        "molecules": m,
        "criterion": f"growth under {GROWTH:.0%} of {basis}",
        "error": curves.numbers(),
        "growth": rise.numbers(),
        "largest_growth": top.numbers(),
        "tolerated_degrees": angles.numbers(),
        "tolerated_degrees_mean": mean.numbers(),
        "learned_degrees": {a: v.reach for a, v in learned.items()},
        "scale": scale.tolist(),
    }
    _figures(made, subject, curves, rise, learned, truth, basis)
    _table(made, subject, angles, basis)
    _sentences(made, subject, mean, top, learned, basis, m)
    return made


def _scale(errors: Tensor, orbits: Orbits, structures: Structures) -> Float[Tensor, " t"]:
    """What growth is a share of: the error unturned; where that is 0, the values' deviation."""
    unturned = errors[:, 0, ZERO].mean(0)
    flat = orbits.mean.reshape(*orbits.mean.shape[:2], -1)
    deviation = flat.std(0, correction=0).square().sum(-1).sqrt()
    deviation = torch.where(deviation > 0, deviation, flat.square().sum(-1).mean(0).sqrt())
    scale = torch.where(unturned > 0, unturned, deviation)
    if not (scale > 0).all():
        raise InputError(
            "every prediction is zero, and so is its error: there is nothing that could grow."
        )
    return scale


def _figures(
    made: Section,
    subject: Subject,
    curves: Estimate,
    rise: Estimate,
    learned: dict[str, Learned],
    truth: bool,
    basis: str,
) -> None:
    marks = sorted({round(v.reach, 1) for v in learned.values() if v.reach < NEVER - 1})
    ends = [(s * reach, f"learned: {s * reach:.3g}") for reach in marks for s in (-1, 1)]
    t = len(subject.quantities)
    lines = [
        Series(f"about {axis}", ANGLES.tolist(), **rise.series(i, scale=100), style="line")
        for i, axis in enumerate(AXES)
    ]
    limit = Series(f"{GROWTH:.0%}", [-180.0, 180.0], [100 * GROWTH] * 2, style="dashed")
    of = "" if t == 1 else f", mean of {t} quantities"
    made.figures.append(
        Chart(
            "tolerance",
            "How the error grows as molecules are turned",
            "angle (degrees)",
            f"growth (% of {basis}{of})",
            [*lines, limit],
            "Molecules as stored, turned about x, y and z; bands are bootstrap intervals.",
            vertical=ends,
        )
    )
    what = "mean absolute error" if truth else "mean |f(g x) - f(x)|"
    for i, q in enumerate(subject.quantities[:4]):
        each = [
            Series(
                f"about {axis}", ANGLES.tolist(), **curves.series(j, slice(None), i), style="line"
            )
            for j, axis in enumerate(AXES)
        ]
        made.figures.append(
            Chart(
                f"tolerance_{q.name}",
                f"{q.name} as molecules are turned",
                "angle (degrees)",
                f"{what} ({q.unit})",
                each,
                vertical=ends,
            )
        )


def _table(made: Section, subject: Subject, angles: Estimate, basis: str) -> None:
    rows = []
    for i, q in enumerate(subject.quantities):
        row: list[str] = [q.name]
        for a in range(3):
            row += [_degrees(angles, i, a, d) for d in (0, 1)]
        rows.append(row)
    columns = ["quantity", *(f"about {a}, {way}" for a in AXES for way in ("back", "forth"))]
    title = f"Largest angle (degrees) at which the error grows by less than {GROWTH:.0%} of {basis}"
    made.tables.append(Grid(title, columns, rows))


def _sentences(
    made: Section,
    subject: Subject,
    mean: Estimate,
    top: Estimate,
    learned: dict[str, Learned],
    basis: str,
    m: int,
) -> None:
    of = "" if len(subject.quantities) == 1 else f" (mean of {len(subject.quantities)} quantities)"
    most = top.text(unit="%", scale=100)
    if bool((mean.value[:, 2] >= NEVER).all()):
        behaviour = f"the error grows by at most {most} of {basis} at any angle about x, y or z"
    else:
        parts = [f"{_degrees(mean, a, 2)} degrees about {AXES[a]}" for a in range(3)]
        behaviour = f"the error grows by less than {GROWTH:.0%} of {basis} up to {listed(parts)}"
    seen = f"{of}, of {m} molecules at {calls()} orientations each"
    if not learned:
        made.findings.append(
            f"{behaviour[0].upper()}{behaviour[1:]}{seen}; no learned distribution to compare with."
        )
        return
    verdicts = {a: agrees(v.reach, *_ends(mean, AXES.index(a))) for a, v in learned.items()}
    made.numbers["agreement"] = verdicts
    groups: dict[str, list[str]] = {}
    for a, v in learned.items():
        groups.setdefault(v.words, []).append(a)
    words = listed([f"{text} about {listed(axes)}" for text, axes in groups.items()])
    made.findings.append(f"Learned: {words}; {behaviour}{seen}: {verdict(verdicts)}.")
    made.numbers["verdict"] = made.findings[-1]


def _ends(mean: Estimate, axis: int) -> tuple[float, float]:
    value, low, high = (part[axis, 2] for part in mean.parts)
    return float(torch.where(low.isfinite(), low, value)), float(
        torch.where(high.isfinite(), high, value)
    )


def _degrees(angles: Estimate, *index: int) -> str:
    """The angle with its interval, or in words at either end."""
    value, low, high = (float(part[index]) for part in angles.parts)
    if value >= NEVER:
        return "180 (any angle)" if not low < NEVER else f"180 [{low:.3g}, 180]"
    text = f"{value:.2g}" if value < 1 else f"{value:.3g}"
    return text if low != low else f"{text} [{low:.3g}, {high:.3g}]"
