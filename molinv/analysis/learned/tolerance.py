"""How far a molecule may be rotated before the error grows, beside what was learned."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ...errors import InputError
from ..intervals import Estimate, of_halves, short
from ..orbits import Orbits
from ..section import Section, Series, plain
from ..settings import Settings
from ..wording import capital, listed
from .agreement import AXES, NEVER, Reach, agrees, compared, reach
from .turning import ANGLES, GROWTH, ZERO, calls, over_angles, tolerated


def section(orbits: Orbits, settings: Settings) -> Section:
    """Error against the angle about x, y and z, and the largest angle that costs under 5 %."""
    subject, structures = orbits.subject, orbits.structures
    tick = settings.progress("angles about x, y and z", len(structures) * calls())
    errors = over_angles(subject, structures, settings, tick)  # (m, 3, angles, t)
    scale = _scale(errors, orbits)

    def growth(mean: Tensor) -> Tensor:
        return ((mean - mean[..., ZERO : ZERO + 1, :]) / scale).movedim(-1, -3)

    def mean_growth(mean: Tensor) -> Tensor:
        return growth(mean).mean(-3)

    curves = errors.mean(0)
    # (t, 3, 3): each axis in the negative, the positive and the worse direction
    angles = of_halves(lambda v: tolerated(growth(v)), errors, settings.seed)
    mean = of_halves(lambda v: tolerated(mean_growth(v)), errors, settings.seed)
    rise = mean_growth(curves)
    learned = reach(subject.distribution)
    known = bool((errors[:, 0, ZERO].mean(0) > 0).all())
    basis = "the error unturned" if known else "the standard deviation over molecules"
    made = Section("tolerance", "How far it may be turned")
    made.numbers = {
        "angles": ANGLES.tolist(),
        "axes": list(AXES),
        "quantities": subject.names,
        "molecules": len(structures),
        "criterion": f"growth under {GROWTH:.0%} of {basis}",
        "error": plain(curves),
        "growth": plain(rise),
        "largest_growth": float(rise.max()),
        "tolerated_degrees": angles.numbers(),
        "tolerated_degrees_mean": mean.numbers(),
        "learned_degrees": {a: v.degrees for a, v in learned.items()},
        "scale": scale.tolist(),
    }
    _figures(made, orbits, curves, rise, learned, basis)
    rows = [
        [name, *(_degrees(angles, i, a, way) for a in range(3) for way in (0, 1))]
        for i, name in enumerate(subject.names)
    ]
    columns = ["quantity", *(f"about {a}, {way}" for a in AXES for way in ("back", "forth"))]
    title = f"Largest angle (degrees) at which the error grows by less than {GROWTH:.0%} of {basis}"
    made.table(f"{title}; in brackets of two halves of the molecules", columns, rows)
    _sentences(made, orbits, mean, float(rise.max()), learned, basis)
    return made


def _scale(errors: Tensor, orbits: Orbits) -> Float[Tensor, " t"]:
    """What growth is a fraction of: the error unturned; where that is 0, the values' deviation."""
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
    orbits: Orbits,
    curves: Tensor,
    rise: Tensor,
    learned: dict[str, Reach],
    basis: str,
) -> None:
    x, subject = ANGLES.tolist(), orbits.subject
    marks = sorted({round(v.degrees, 1) for v in learned.values() if v.degrees < NEVER - 1})
    ends = [(s * end, f"learned: {s * end:.3g}") for end in marks for s in (-1, 1)]
    lines = [Series(f"about {a}", x, (100 * rise[i]).tolist()) for i, a in enumerate(AXES)]
    limit = Series(f"{GROWTH:.0%}", [-180.0, 180.0], [100 * GROWTH] * 2, style="dashed")
    made.chart(
        "tolerance",
        "How the error grows as molecules are turned",
        "angle (degrees)",
        f"growth (% of {basis}{subject.several})",
        [*lines, limit],
        caption="Molecules as stored, turned about x, y and z; means over molecules.",
        vertical=ends,
    )
    truth = orbits.structures.y is not None
    for i, q in enumerate(subject.quantities):
        what = "mean absolute error" if truth else "mean |f(g x) - f(x)|"
        made.chart(
            "tolerance_of",
            "One quantity as molecules are turned",
            "angle (degrees)",
            q.axis(f"{q.name}, {what}"),
            [Series(f"about {a}", x, curves[j, :, i].tolist()) for j, a in enumerate(AXES)],
            vertical=ends,
            quantity=q.name,
        )


def _sentences(
    made: Section,
    orbits: Orbits,
    mean: Estimate,
    top: float,
    learned: dict[str, Reach],
    basis: str,
) -> None:
    if bool((mean.value[:, 2] >= NEVER).all()):
        most = short(100 * top)
        behaviour = f"the error grows by at most {most} % of {basis} at any angle about x, y or z"
    else:
        parts = [f"{_degrees(mean, a, 2)} degrees about {AXES[a]}" for a in range(3)]
        behaviour = f"the error grows by less than {GROWTH:.0%} of {basis} up to {listed(parts)}"
    several = f" ({orbits.subject.several.removeprefix(', ')})" if orbits.subject.several else ""
    behaviour += f"{several}, of {len(orbits.variance)} molecules at {calls()} orientations each"
    if not learned:
        made.findings.append(f"{capital(behaviour)}; no learned distribution to compare with.")
        return
    worst = mean[:, 2]
    ends = [torch.where(end.isfinite(), end, worst.value) for end in (worst.low, worst.high)]
    found = {}
    for a, v in learned.items():
        low, high = (float(end[AXES.index(a)]) for end in ends)
        found[a] = agrees(v.degrees, low, high)
    made.numbers["agreement"] = found
    groups: dict[str, list[str]] = {}
    for a, v in learned.items():
        groups.setdefault(v.words, []).append(a)
    words = listed([f"{text} about {listed(axes)}" for text, axes in groups.items()])
    made.numbers["verdict"] = f"Learned: {words}; {behaviour}: {compared(found)}."
    made.findings.append(made.numbers["verdict"])


def _degrees(angles: Estimate, *index: int) -> str:
    """The angle with its interval, or in words at either end."""
    value, low, high = (float(part[index]) for part in angles.parts)
    if value >= NEVER:
        return "180 (any angle)" if not low < NEVER else f"180 [{low:.3g}, 180]"
    text = f"{value:.2g}" if value < 1 else f"{value:.3g}"
    return text if low != low else f"{text} [{low:.3g}, {high:.3g}]"
