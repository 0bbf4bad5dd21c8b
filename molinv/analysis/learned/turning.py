"""Errors of molecules rotated about x, y and z, and the angles at which they grow."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from ...groups import SO3
from ..orbits import length_squared, values_at, width
from ..settings import Settings
from ..subject import Structures, Subject

GROWTH = 0.05
# degrees; denser near 0, where a network that has learned little fails
STEPS = (1, 2, 3, 5, 7, 10, 15, *range(20, 190, 10))
ANGLES = torch.tensor([*(-s for s in reversed(STEPS)), 0, *STEPS], dtype=torch.float64)
ZERO = len(STEPS)  # index of the angle 0


def calls() -> int:
    """Number of orientations: the axes share 0 degrees, and -180 is the same as 180."""
    return 1 + 3 * (len(ANGLES) - 2)


@torch.no_grad()
def over_angles(
    subject: Subject,
    structures: Structures,
    settings: Settings,
    tick: Callable[[int], None] = lambda molecules: None,
) -> Float[Tensor, "m 3 a t"]:
    """|f(g x), rotated back, - y| by molecule, axis and angle; y is f(x) without true values."""
    e = len(subject.entries(1))
    turns = SO3().exp(torch.deg2rad(ANGLES)[None, :, None] * torch.eye(3).double()[:, None])

    def block(index: Tensor, pos: Tensor, z: Tensor) -> tuple[Tensor, ...]:
        base = values_at(subject, pos, z, turns[0, ZERO])
        reference = base if structures.y is None else structures.y[index].double()
        errors = torch.empty(len(pos), 3, len(ANGLES), base.shape[1], dtype=torch.float64)
        errors[:, :, ZERO] = length_squared(base - reference, e).sqrt()[:, None]
        tick(len(pos))
        for axis in range(3):
            for k in (k for k in range(1, len(ANGLES)) if k != ZERO):
                value = values_at(subject, pos, z, turns[axis, k])
                errors[:, axis, k] = length_squared(value - reference, e).sqrt()
                tick(len(pos))
        errors[:, :, 0] = errors[:, :, -1]  # -180 degrees is 180
        return (errors,)

    blocks = structures.blocks(settings.batch_size, subject.device)
    return structures.each(block, blocks, width(subject, structures))[0]


def tolerated(growth: Float[Tensor, "*n a"]) -> Float[Tensor, "*n 3"]:
    """Angles at which the growth first reaches 5 %: backwards, forwards, and the smaller one.

    Interpolated, in degrees; 180 if growth stays below.
    """
    steps, found = ANGLES[ZERO:], []
    for side in (growth[..., : ZERO + 1].flip(-1), growth[..., ZERO:]):
        over = side >= GROWTH
        first = over.to(torch.int8).argmax(-1, keepdim=True).clamp_min(1)
        low, high = (torch.take_along_dim(side, i, -1)[..., 0] for i in (first - 1, first))
        start, end = (steps[i[..., 0]] for i in (first - 1, first))
        rise = high - low
        share = (GROWTH - low) / torch.where(rise == 0, 1.0, rise)
        crossing = start + (end - start) * share.clamp(0, 1)
        found.append(torch.where(over.any(-1), crossing, 180.0))
    return torch.stack([*found, torch.minimum(*found)], -1)
