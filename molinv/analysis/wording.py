"""What the sentences of several parts share."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from .intervals import CONFIDENCE, FEWEST
from .orbits import Orbits

EACH = 4  # up to so many quantities have a sentence and a chart of their own


def measured_on(orbits: Orbits) -> str:
    """How many molecules and orientations there were, and what the brackets are."""
    m, n = len(orbits.variance), len(orbits.weights)
    average = f", whose average is exact up to degree {2 * orbits.degree}" if orbits.degree else ""
    brackets = f"brackets are {100 * CONFIDENCE:g} % intervals of medians over molecules"
    if m < FEWEST:
        brackets = f"fewer than {FEWEST} molecules give no intervals"
    what = f"{m:,} molecule{'s' * (m > 1)} in {n:,} orientations each{average}"
    return f"Measured on {what}; {brackets}."


def mentioned(measure: Float[Tensor, " t"]) -> list[int]:
    """The quantities that get a sentence: all, or of many those with the most and the least."""
    if len(measure) <= EACH:
        return list(range(len(measure)))
    return [int(measure.argmax()), int(measure.argmin())]


def listed(words: Sequence[str]) -> str:
    """Words in a sentence: "x, y and z"."""
    return ", ".join(words[:-1]) + f" and {words[-1]}" if len(words) > 1 else "".join(words)


def capital(sentence: str) -> str:
    """The sentence with a capital letter at its beginning."""
    return sentence[:1].upper() + sentence[1:]
