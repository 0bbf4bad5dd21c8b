"""Report section: how far molecules can be rotated before the error grows."""

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
    """Error against the angle about x, y and z, and the largest angle with under 5 % growth."""
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
    basis = "the error as stored" if known else "the standard deviation over molecules"
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
    _figures(made, orbits, curves, scale, learned)
    _sentences(made, orbits, mean, float(rise.max()), learned, basis)
    return made


def _scale(errors: Tensor, orbits: Orbits) -> Float[Tensor, " t"]:
    """The unit of growth: the error as stored, or the deviation of values if the error is 0."""
    unturned = errors[:, 0, ZERO].mean(0)
    flat = orbits.mean.reshape(*orbits.mean.shape[:2], -1)
    deviation = flat.std(0, correction=0).square().sum(-1).sqrt()
    deviation = torch.where(deviation > 0, deviation, flat.square().sum(-1).mean(0).sqrt())
    scale = torch.where(unturned > 0, unturned, deviation)
    if not (scale > 0).all():
        raise InputError("every prediction and every error is zero, so no growth can be measured.")
    return scale


def _figures(
    made: Section, orbits: Orbits, curves: Tensor, scale: Tensor, learned: dict[str, Reach]
) -> None:
    x, truth = ANGLES.tolist(), orbits.structures.y is not None
    marks = sorted({round(v.degrees, 1) for v in learned.values() if v.degrees < NEVER - 1})
    ends = [(s * end, f"learned: {s * end:.3g}") for end in marks for s in (-1, 1)]
    what = "mean absolute error" if truth else "mean |f(g x) - f(x)|"
    for i, q in enumerate(orbits.subject.quantities):
        limit = [float(curves[0, ZERO, i] + GROWTH * scale[i])] * 2
        lines = [Series(f"about {a}", x, curves[j, :, i].tolist()) for j, a in enumerate(AXES)]
        made.chart(
            "tolerance",
            "The error as molecules are rotated",
            "angle (degrees)",
            q.axis(f"{q.name}, {what}"),
            [*lines, Series("tolerated", [-180.0, 180.0], limit, style="dashed")],
            caption="Molecules as stored, rotated about x, y and z; means over molecules.",
            vertical=ends,
            quantity=q.name,
        )


def _sentences(
    made: Section, orbits: Orbits, mean: Estimate, top: float, learned: dict[str, Reach], basis: str
) -> None:
    if bool((mean.value[:, 2] >= NEVER).all()):
        most = short(100 * top)
        behaviour = f"the error grows by at most {most} % of {basis} at any angle about x, y or z"
    else:
        parts = [f"{_degrees(mean, a, 2)} degrees about {AXES[a]}" for a in range(3)]
        behaviour = f"the error grows by less than {GROWTH:.0%} of {basis} up to {listed(parts)}"
    several = f" ({orbits.subject.several.removeprefix(', ')})" if orbits.subject.several else ""
    behaviour += f"{several}, for {len(orbits.variance)} molecules at {calls()} orientations each"
    if not learned:
        made.findings.append(f"{capital(behaviour)}; there is no learned distribution to compare.")
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
    """An angle with its interval."""
    value, low, high = (float(part[index]) for part in angles.parts)
    if value >= NEVER:
        return "180 (any angle)" if not low < NEVER else f"180 [{low:.3g}, 180]"
    text = f"{value:.2g}" if value < 1 else f"{value:.3g}"
    return text if low != low else f"{text} [{low:.3g}, {high:.3g}]"
