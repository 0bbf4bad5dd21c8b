"""Lie derivatives by finite differences, to check or to replace exact ones."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ...actions import Points
from ...errors import InputError
from ...groups import Group
from ..subject import Structures, Subject
from .derivatives import derivatives

_STEP = 0.02  # in the generators' units: rad, angstrom


@torch.no_grad()
def check(subject: Subject, structures: Structures, group: Group, molecules: int = 4) -> float:
    """The relative difference between derivatives and finite differences.

    The derivative lacks any path that a network hides from differentiation (detach, NumPy,
    inference mode). Raises InputError if finite differences show such a path.
    """
    pos, z = structures.batch(range(min(molecules, len(structures))))
    value, exact = derivatives(subject, pos, z, group)
    _, near, doubt = doubted(subject, pos, z, group)
    doubt = doubt + 10 * torch.finfo(subject.dtype).eps * value.abs() / _STEP
    away = float((exact - near).square().mean().sqrt())
    size = max(float(part.square().mean().sqrt()) for part in (exact, near))
    if away > 0.1 * size + 3 * float(doubt.square().mean().sqrt()):
        raise InputError(
            f"{subject.name} hides part of its computation from differentiation (detach, NumPy or "
            f"inference mode inside it): its derivatives differ by {away / size:.0%} from finite "
            "differences."
        )
    return away / size if size > 0 else 0.0


@torch.no_grad()
def doubted(
    subject: Subject, pos: Float[Tensor, "b n 3"], z: Tensor, group: Group
) -> tuple[Float[Tensor, "b t *e"], Float[Tensor, "k b t *e"], Float[Tensor, "k b t *e"]]:
    """f, L_X f along every generator by central differences, and their estimated error.

    Richardson extrapolation from steps of 0.02 and 0.04 rad (or angstrom).
    """
    near, doubt = [], []
    for i in range(group.k):
        one, two = (difference(subject, pos, z, group, i, h) for h in (_STEP, 2 * _STEP))
        near.append((4 * one - two) / 3)
        doubt.append((one - two).abs() / 3)
    return subject(pos, z).double(), torch.stack(near), torch.stack(doubt)


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
