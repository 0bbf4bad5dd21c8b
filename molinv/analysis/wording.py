"""Phrases shared by several parts."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from .intervals import CONFIDENCE, FEWEST
from .orbits import Orbits

EACH = 4  # the largest number of quantities that get a sentence each


def measured_on(orbits: Orbits) -> str:
    """The number of molecules and orientations, and the meaning of the brackets."""
    m, n = len(orbits.variance), len(orbits.weights)
    average = f", whose average is exact up to degree {2 * orbits.degree}" if orbits.degree else ""
    brackets = f"brackets are {100 * CONFIDENCE:g} % intervals of medians over molecules"
    if m < FEWEST:
        brackets = f"fewer than {FEWEST} molecules give no intervals"
    what = f"{m:,} molecule{'s' * (m > 1)} in {n:,} orientations each{average}"
    return f"Measured on {what}; {brackets}."


def mentioned(measure: Float[Tensor, " t"]) -> list[int]:
    """Indices of the quantities that get a sentence: all if few, else the largest and smallest."""
    if len(measure) <= EACH:
        return list(range(len(measure)))
    return [int(measure.argmax()), int(measure.argmin())]


def listed(words: Sequence[str]) -> str:
    """Words in a sentence: "x, y and z"."""
    return ", ".join(words[:-1]) + f" and {words[-1]}" if len(words) > 1 else "".join(words)


def direction(vector: Sequence[float] | Tensor) -> str:
    """A direction in a sentence: "(0.00, 0.60, 0.80)"."""
    return f"({', '.join(f'{float(c):.2f}' for c in vector)})"


def capital(sentence: str) -> str:
    """The sentence with a capital first letter."""
    return sentence[:1].upper() + sentence[1:]
