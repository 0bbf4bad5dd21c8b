"""Orbits by as many orientations as a function needs: few where nothing changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from ... import quadrature
from ...groups import SO3
from ..settings import Settings
from ..subject import Structures, Subject
from .orbits import Orbits, length_squared, sweep, values_at, width

PROBES = 16  # random orientations that come first
FIRST = 9  # degree of the first rule: 380 orientations
_HIGHEST = 131  # the largest degree that has a rule


def resolved(subject: Subject, structures: Structures, settings: Settings) -> Orbits:
    """The orbits by a rule whose degree suffices, as far as `settings.budget` calls allow.

    Some random orientations come first. Where they change nothing beyond rounding, no others are
    looked at: `degree` is 0. Else the degree rises from 9 until the degrees that the rule knows
    explain the values in these other orientations; `settings.degree` sets it.
    """
    m = len(structures)
    turns = SO3().double().haar(PROBES, torch.Generator().manual_seed(settings.seed))
    tick = settings.progress(f"{PROBES} random orientations of {m:,} molecules", m * PROBES)
    few = probe(subject, structures, turns, settings.batch_size, tick)
    if bool(few[0].still.all()):
        return few[0]
    degree = FIRST if settings.degree is None else settings.degree
    while True:
        count = len(quadrature.so3(degree)[1])
        tick = settings.progress(f"{count:,} orientations of {m:,} molecules", count * m)
        found = sweep(subject, structures, degree, settings.batch_size, tick, (turns, few[1]))
        more = higher(degree)
        if settings.degree is not None or more is None or bool(found.resolved.all()):
            return found
        if len(quadrature.so3(more)[1]) * m > settings.budget:
            return found
        degree = more


def higher(degree: int) -> int | None:
    """The degree of the next rule to try; None where there is none."""
    more = degree + degree // 2 + 1
    return more if more <= _HIGHEST else None


@torch.no_grad()
def probe(
    subject: Subject,
    structures: Structures,
    turns: Float[Tensor, "r 3 3"],
    batch_size: int = 256,
    tick: Callable[[int], None] = lambda molecules: None,
) -> tuple[Orbits, Float[Tensor, "r m t *e"]]:
    """The orbits by a few orientations of equal weight, and the values there, turned back."""
    structures = replace(structures, pos=[pos.to(subject.dtype) for pos in structures.pos])
    e = len(subject.entries(1))

    def block(index: Tensor, pos: Tensor, z: Tensor) -> tuple[Tensor, ...]:
        rows = []
        for g in turns:
            rows.append(values_at(subject, pos, z, g))
            tick(len(pos))
        values = torch.stack(rows)
        base = values_at(subject, pos, z, torch.eye(3, dtype=torch.float64))
        reference = base if structures.y is None else structures.y[index].double()
        away = length_squared(values - reference, e)
        mean = base + (values - base).mean(0)
        variance = length_squared(values - mean, e).sum(0) / (len(values) - 1)
        unknown = torch.nan if structures.y is None else 1.0
        error, square = (x.mean(0) * unknown for x in (away.sqrt(), away))
        power = length_squared(mean, e)[..., None]
        beyond = torch.full_like(variance, torch.nan)
        all_of = mean, variance, power, error, square, beyond
        return *all_of, values.movedim(0, 1)

    blocks = structures.blocks(batch_size)
    *fields, values = structures.each(block, blocks, width(subject, structures))
    weights = torch.full((len(turns),), 1 / len(turns), dtype=torch.float64)
    made = Orbits(subject, structures, *fields, nodes=turns, weights=weights)
    return made, values.movedim(0, 1)
