"""Probability distributions on a group, with learnable widths.

    UniformBox   uniform in the algebra, with a half-width for each generator
    HaarBall     Haar on a ball around the identity (SO3, SO2, or your own group with a radius)
    Gaussian     a Gaussian in the algebra with full covariance
    Categorical  a probability for each element of a finite group
    Peaks        rotations with learned places and probabilities, to find finite groups
    Composed     independent distributions on the two parts of a group such as O3
    Conditional  a box whose half-widths depend on the input
    Identity     no augmentation (nothing to learn)
    Haar         full augmentation (nothing to learn)

A Distribution defined in a file of this folder is found by its class name, and the tests check
it.
"""

import sys

from ..names import classes
from ..names import find as _find
from .base import Distribution, Extent
from .categorical import Categorical
from .composed import Composed
from .conditional import Conditional
from .fingerprint import Fingerprint
from .fixed import Haar, Identity
from .gaussian import Gaussian
from .haar_ball import HaarBall
from .peaks import Peaks
from .uniform_box import UniformBox

# fmt: off
__all__ = [
    "Categorical", "Composed", "Conditional", "Distribution", "Extent", "Fingerprint", "Gaussian",
    "Haar", "HaarBall", "Identity", "Peaks", "UniformBox", "available", "find",
]
# fmt: on


def available() -> dict[str, type[Distribution]]:
    """All distribution classes in this folder, by name."""
    return classes(sys.modules[__name__], Distribution)


def find(name: str) -> type[Distribution]:
    """Find a distribution's class by its name, "HaarBall" or "package.module:Name".

    Raises InputError if there is no such class.
    """
    return _find("distribution", name, sys.modules[__name__], Distribution)
