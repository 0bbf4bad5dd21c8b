"""Does the learned distribution reach as far as the network tolerates?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import degrees

from ...distributions import (
    Composed,
    Conditional,
    Distribution,
    Gaussian,
    Haar,
    HaarBall,
    Identity,
    UniformBox,
)
from ...groups import SO3
from ..subject import Subject

AXES = ("x", "y", "z")
NEVER = 180.0  # degrees: any turn is tolerated
_FACTOR, _MARGIN = 1.5, 15.0  # how near "agree" is: a factor, or so many degrees


@dataclass(frozen=True)
class Learned:
    """How far the learned distribution reaches about one axis, in degrees, and in words."""

    reach: float
    words: str


def reach(subject: Subject) -> dict[str, Learned]:
    """How far the learned distribution reaches about x, y and z; empty where it says nothing.

    A box by its half-width, a ball by its radius, a Gaussian by 1.7 standard deviations, which is
    the half-width of the box of the same deviation.
    """
    return {} if subject.distribution is None else _reach(subject.distribution)


def _reach(mu: Distribution) -> dict[str, Learned]:
    if isinstance(mu, Composed):
        return _reach(mu.a) or _reach(mu.b)
    if isinstance(mu, Haar | Identity):
        found = (180.0, "all angles, as set") if isinstance(mu, Haar) else (0.0, "none, as set")
        return {a: Learned(*found) for a in AXES if f"w{a}" in mu.group.names}
    extents = mu.extent()
    if isinstance(mu, HaarBall) and isinstance(mu.group, SO3):
        radius = float(extents["radius"].value.detach())
        return {a: Learned(degrees(radius), f"a radius of {radius:.3g} rad") for a in AXES}
    made = {}
    for a in AXES:
        if f"w{a}" not in extents:
            continue
        value = float(extents[f"w{a}"].value.detach())
        if isinstance(mu, UniformBox | Conditional):
            made[a] = Learned(min(degrees(value), NEVER), f"+-{value:.3g} rad")
        elif isinstance(mu, Gaussian):
            words = f"a standard deviation of {value:.3g} rad, 1.7 of which are {1.7 * value:.3g}"
            made[a] = Learned(min(degrees(1.7 * value), NEVER), words)
    return made


def agrees(learned: float, low: float, high: float) -> str:
    """ "agree", or which of the two reaches further: "less" and "more" are the network's.

    They agree where the interval of what is tolerated comes within a factor of 1.5 of what was
    learned, or within 15 degrees of it.
    """
    near = min(learned / _FACTOR, learned - _MARGIN)
    far = max(learned * _FACTOR, learned + _MARGIN)
    if high < near:
        return "less"
    return "more" if low > far else "agree"


def verdict(verdicts: dict[str, str]) -> str:
    if set(verdicts.values()) == {"agree"}:
        return "the learned distribution and the network agree"
    says = {
        "agree": "they agree",
        "less": "the network tolerates less than was learned",
        "more": "the network tolerates more than was learned",
    }
    parts = []
    for key, text in says.items():
        axes = [a for a, v in verdicts.items() if v == key]
        if axes:
            parts.append(f"{text} about {listed(axes)}")
    return listed(parts)


def listed(words: Sequence[str]) -> str:
    """Words in a sentence: "x, y and z"."""
    return ", ".join(words[:-1]) + f" and {words[-1]}" if len(words) > 1 else "".join(words)
