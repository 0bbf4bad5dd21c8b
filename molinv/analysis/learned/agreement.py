"""Compares the reach of the learned distribution with the rotations that the network tolerates."""

from __future__ import annotations

from math import degrees
from typing import NamedTuple

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
from ..wording import listed

AXES = ("x", "y", "z")
NEVER = 180.0  # degrees: any rotation is tolerated
_FACTOR, _MARGIN = 1.5, 15.0  # largest ratio and difference (degrees) that count as agreement


class Reach(NamedTuple):
    """The reach of the learned distribution about one axis, in degrees and in words."""

    degrees: float
    words: str


def reach(mu: Distribution | None) -> dict[str, Reach]:
    """The reach of a learned distribution about x, y and z; empty if that is undefined.

    The reach of a box is its half-width, that of a ball its radius, and that of a Gaussian 1.7
    standard deviations, the half-width of a box with this standard deviation.
    """
    if mu is None:
        return {}
    if isinstance(mu, Composed):
        return reach(mu.a) or reach(mu.b)
    if isinstance(mu, Haar | Identity):
        found = (180.0, "all angles (fixed)") if isinstance(mu, Haar) else (0.0, "none (fixed)")
        return {a: Reach(*found) for a in AXES if f"w{a}" in mu.group.names}
    extents = {name: float(e.value.detach()) for name, e in mu.extent().items()}
    if isinstance(mu, HaarBall) and isinstance(mu.group, SO3):
        radius = extents["radius"]
        return dict.fromkeys(AXES, Reach(degrees(radius), f"a radius of {radius:.3g} rad"))
    made = {}
    for a, value in ((a, extents[f"w{a}"]) for a in AXES if f"w{a}" in extents):
        if isinstance(mu, UniformBox | Conditional):
            made[a] = Reach(min(degrees(value), NEVER), f"+-{value:.3g} rad")
        elif isinstance(mu, Gaussian):
            words = f"a standard deviation of {value:.3g} rad (times 1.7: {1.7 * value:.3g})"
            made[a] = Reach(min(degrees(1.7 * value), NEVER), words)
    return made


def agrees(learned: float, low: float, high: float) -> str:
    """Return "agree", or "less" or "more" if the network tolerates less or more than learned.

    They agree if the interval of tolerated angles comes within a factor of 1.5 or within 15 degrees
    of the learned reach.
    """
    near = min(learned / _FACTOR, learned - _MARGIN)
    far = max(learned * _FACTOR, learned + _MARGIN)
    if high < near:
        return "less"
    return "more" if low > far else "agree"


def compared(found: dict[str, str]) -> str:
    """The results of `agrees` by axis, as part of a sentence."""
    if set(found.values()) == {"agree"}:
        return "the learned distribution and the network agree"
    texts = {
        "agree": "they agree",
        "less": "the network tolerates less than was learned",
        "more": "the network tolerates more than was learned",
    }
    axes = {key: [a for a, word in found.items() if word == key] for key in texts}
    return listed([f"{texts[key]} about {listed(a)}" for key, a in axes.items() if a])
