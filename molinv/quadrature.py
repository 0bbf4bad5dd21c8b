"""Averages over a compact group that are exact up to a degree.

`rule(group, degree)` returns elements, and weights that sum to one. On SO3 it averages every
Wigner-D function up to that degree exactly. To compute expansion coefficients, or Parseval's
sum, up to degree L, use a rule of degree 2 L.
"""

from __future__ import annotations

from .groups import SO2, SO3, Group
from .groups.base import Rule
from .groups.spirals import super_fibonacci

__all__ = ["rule", "so2", "so3", "super_fibonacci"]


def rule(group: Group, degree: int) -> Rule:
    """Elements (n, d, d) and weights (n,) in float64: the group's own rule.

    Raises InputError for a group that is not compact or has no known rule.
    """
    return group.rule(degree)


def so3(degree: int) -> Rule:
    """Rotations (n, 3, 3) and weights (n,), float64; raises InputError outside 0 to 131."""
    return SO3().rule(degree)


def so2(degree: int) -> Rule:
    """degree + 1 equispaced rotations (n, 2, 2) of the plane, and weights (n,), in float64.

    Raises InputError below degree 0.
    """
    return SO2().rule(degree)
