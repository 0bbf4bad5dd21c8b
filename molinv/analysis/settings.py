"""How an analysis is run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


def _silent(what: str, total: int) -> Callable[[int], None]:
    return lambda done: None


@dataclass(frozen=True)
class Settings:
    """What every part of an analysis shares.

    degree      of the quadrature rule: powers are known up to degree // 2
    molecules   at most so many are analysed
    batch_size  molecules a call
    confidence  of every interval, from `bootstrap` resamples of the molecules
    progress    called with what is under way and its total, returns what to call with each step
    """

    degree: int = 9
    molecules: int = 1000
    batch_size: int = 256
    confidence: float = 0.95
    bootstrap: int = 1000
    seed: int = 0
    progress: Callable[[str, int], Callable[[int], None]] = _silent
