"""Orbits over as many orientations as a function needs: few if nothing changes."""

from __future__ import annotations

import torch

from ... import quadrature
from ...groups import SO3
from ..settings import Settings
from ..subject import Structures, Subject
from .orbits import Orbits, probe, sweep

PROBES = 16  # random orientations that come first
FIRST = 9  # degree of the first rule: 380 orientations
SLOWER = 20  # a calculator has a budget so many times smaller: it takes one structure at a time
_HIGHEST = 131  # the largest degree that has a rule


def resolved(subject: Subject, structures: Structures, settings: Settings) -> Orbits:
    """The orbits by a rule of sufficient degree, within `settings.budget` (see `Settings`).

    The first orientations are random. If they change nothing beyond rounding, `degree` is 0 and no
    others are tried. Otherwise the degree rises from 9 until the rule explains the values in the
    random orientations. `settings.degree` sets the degree instead.
    """
    m = len(structures)
    turns = SO3().double().haar(PROBES, torch.Generator().manual_seed(settings.seed))
    tick = settings.progress(f"{PROBES} random orientations of {m:,} molecules", m * PROBES)
    few = probe(subject, structures, turns, settings.batch_size, tick)
    if bool(few[0].still.all()):
        return few[0]
    budget = settings.budget // (1 if subject.rounding is None else SLOWER)
    degree = FIRST if settings.degree is None else settings.degree
    while True:
        count = len(quadrature.so3(degree)[1])
        tick = settings.progress(f"{count:,} orientations of {m:,} molecules", count * m)
        found = sweep(subject, structures, degree, settings.batch_size, tick, (turns, few[1]))
        more = degree + degree // 2 + 1
        if settings.degree is not None or more > _HIGHEST or bool(found.resolved.all()):
            return found
        if len(quadrature.so3(more)[1]) * m > budget:
            return found
        degree = more
