"""Matrix Lie groups and finite groups, with their Haar measures and quadrature rules.

    SO2, SO3              rotations of the plane and of space
    About(x, y, z)        rotations of space about one axis
    T(n)                  translations
    SE2, SE3              rigid motions (translation first, rotation last)
    E2, E3                rigid motions and reflections
    Scaling(n)            uniform scaling
    Affine2, Affine3      all affine maps near the identity
    Finite, Cyclic(n), Reflection(dim)    finite groups
    PointGroup(symbol)    point groups of crystals and molecules
    closure(matrices)     the elements of the finite group that some matrices generate
    name_rotations(g)     the group of rotations that noisy rotations belong to
    O3                    rotations and inversion
    Hue, ColourJitter     colour changes of (red, green, blue) pixels
    Compose(A, B)         products of elements of two groups on the same space
    MatrixGroup(G)        a group from your own generators
    LearnedBasis(k, d)    generators learned from data

A Group defined in a file of this folder is found by its class name, and the tests check it.
"""

import sys

from ..names import classes
from ..reading import make
from .affine import Affine2, Affine3, Scaling, T
from .base import Group
from .colour import ColourJitter, Hue
from .compose import O3, Compose
from .finite import Cyclic, Finite, Reflection
from .learned_basis import LearnedBasis, cosines, span
from .matrix import MatrixGroup
from .naming import Named, name_rotations
from .point_group import PointGroup, closure
from .se import E2, E3, SE2, SE3
from .so2 import SO2
from .so3 import SO3, About

# fmt: off
__all__ = [
    "E2", "E3", "O3", "SE2", "SE3", "SO2", "SO3", "About", "Affine2", "Affine3", "ColourJitter",
    "Compose", "Cyclic", "Finite", "Group", "Hue", "LearnedBasis", "MatrixGroup", "Named",
    "PointGroup", "Reflection", "Scaling", "T", "available", "closure", "cosines", "find",
    "name_rotations", "span",
]
# fmt: on


def available() -> dict[str, type[Group]]:
    """All group classes in this folder, by name."""
    return classes(sys.modules[__name__], Group)


def find(name: str) -> Group:
    """Build a group from "SO3", "T(3)", "Compose(SO3, Scaling(3))" or "package.module:Name".

    This is the inverse of `str(group)`. Raises InputError if the text does not name a group.
    """
    return make("group", name, sys.modules[__name__], Group)
