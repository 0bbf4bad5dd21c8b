"""Distributions on a group: what is learned.

    UniformBox   uniform in the algebra, a half-width for each generator
    HaarBall     Haar on a ball around the identity (SO3, SO2, or a group of yours that is a ball)
    Gaussian     a Gaussian in the algebra with full covariance
    Categorical  a probability for each element of a finite group
    Composed     independent ones on the two parts of a group such as O3
    Conditional  a box whose half-widths depend on the input
    Identity     no augmentation; Haar: full augmentation (nothing to learn)

A file in this folder that defines a Distribution is found by its class name, and tested.
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
from .uniform_box import UniformBox

# fmt: off
__all__ = [
    "Categorical", "Composed", "Conditional", "Distribution", "Extent", "Fingerprint", "Gaussian",
    "Haar", "HaarBall", "Identity", "UniformBox", "available", "find",
]
# fmt: on


def available() -> dict[str, type[Distribution]]:
    """Every distribution in this folder, by name."""
    return classes(sys.modules[__name__], Distribution)


def find(name: str) -> type[Distribution]:
    """A distribution's class from "HaarBall" or "package.module:Name"."""
    return _find("distribution", name, sys.modules[__name__], Distribution)
