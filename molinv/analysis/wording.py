"""What the sentences of several parts share."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from .orbits import Orbits
from .settings import Settings

EACH = 4  # up to so many quantities have a sentence and a chart of their own


def measured_on(orbits: Orbits, settings: Settings) -> str:
    """How many molecules and orientations there were, and what the brackets are."""
    m = len(orbits.variance)
    brackets = (
        f"brackets are {100 * settings.confidence:g} % intervals over molecules "
        f"({settings.bootstrap:,} resamples)"
    )
    return (
        f"Measured on {m:,} molecule{'s' * (m > 1)} in {len(orbits.weights):,} orientations each, "
        f"whose average is exact over all rotations up to degree {settings.degree}; "
        f"{brackets if m > 1 else 'one molecule gives no intervals'}."
    )


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
