"""Groups: what can be sampled, and what acts.

    SO2, SO3              rotations of the plane and of space
    About(x, y, z)        rotations of space about one axis
    T(n)                  translations
    SE2, SE3              rigid motions (translation first, rotation last)
    E2, E3                the same with reflections
    Scaling(n)            uniform scaling
    Affine2, Affine3      all affine maps near the identity
    Finite, Cyclic(n), Reflection(dim)    finitely many elements
    PointGroup(symbol)    the point groups of crystals and molecules; closure of any matrices
    O3                    rotations and inversion
    Hue, ColourJitter     of the (red, green, blue) of a pixel
    Compose(A, B)         both on the same object
    MatrixGroup(G)        from your own generators
    LearnedBasis(k, d)    generators found from data

A file in this folder that defines a Group is found by its class name, and tested.
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
from .point_group import PointGroup, closure
from .se import E2, E3, SE2, SE3
from .so2 import SO2
from .so3 import SO3, About

# fmt: off
__all__ = [
    "E2", "E3", "O3", "SE2", "SE3", "SO2", "SO3", "About", "Affine2", "Affine3", "ColourJitter",
    "Compose", "Cyclic", "Finite", "Group", "Hue", "LearnedBasis", "MatrixGroup", "PointGroup",
    "Reflection", "Scaling", "T", "available", "closure", "cosines", "find", "span",
]
# fmt: on


def available() -> dict[str, type[Group]]:
    """Every group in this folder, by name."""
    return classes(sys.modules[__name__], Group)


def find(name: str) -> Group:
    """A group from text: "SO3", "T(3)", "Compose(SO3, Scaling(3))" or "package.module:Name".

    Reads what `str(group)` prints. Raises InputError for text that names no group.
    """
    return make("group", name, sys.modules[__name__], Group)
