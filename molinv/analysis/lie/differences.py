"""A check of forward-mode derivatives against finite differences, on a few molecules."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ...actions import Points
from ...errors import InputError
from ...groups import Group
from ..subject import Structures, Subject
from .derivatives import along

_STEP = 0.02  # in the generators' units: rad, angstrom


@torch.no_grad()
def check(subject: Subject, structures: Structures, group: Group, molecules: int = 4) -> float:
    """The relative difference between derivatives and finite differences.

    A network may hide a path from differentiation (detach, NumPy, inference mode): its derivative
    then lacks that path. Raises InputError where finite differences show that.
    """
    pos, z = structures.batch(range(min(molecules, len(structures))))
    exact, near, doubt = [], [], []
    for i, generator in enumerate(group.generators.detach()):
        value, slope = along(subject, pos, z, group, generator)
        one, two = (difference(subject, pos, z, group, i, h) for h in (_STEP, 2 * _STEP))
        exact.append(slope)
        near.append((4 * one - two) / 3)
        rounding = 10 * torch.finfo(subject.dtype).eps * value.abs() / _STEP
        doubt.append((one - two).abs() / 3 + rounding)
    away = float((torch.stack(exact) - torch.stack(near)).square().mean().sqrt())
    size = max(float(torch.stack(part).square().mean().sqrt()) for part in (exact, near))
    if away > 0.1 * size + 3 * float(torch.stack(doubt).square().mean().sqrt()):
        raise InputError(
            f"{subject.name} hides part of its coordinates' way from differentiation (detach, "
            f"NumPy or inference mode inside it): its derivatives are {away / size:.0%} from "
            "finite differences; let derivatives pass."
        )
    return away / size if size > 0 else 0.0


def difference(
    subject: Subject, pos: Tensor, z: Tensor, group: Group, i: int, step: float
) -> Float[Tensor, "b t *e"]:
    """The central difference of g^-1 f(g x) along generator i."""

    def at(t: float) -> Tensor:
        xi = torch.zeros(group.k, dtype=torch.float64)
        xi[i] = t
        g = group.exp(xi).expand(len(pos), group.d, group.d)
        moved = torch.where((z > 0)[..., None], Points().act(group, g, pos), pos)
        return subject.output.pull_back(group, g, subject(moved, z).double(), moved)[0]

    return (at(step) - at(-step)) / (2 * step)
