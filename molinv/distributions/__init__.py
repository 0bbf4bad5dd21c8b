"""Distributions on a group: what is learned.

    UniformBox   uniform in the algebra, a half-width for each generator
    HaarBall     Haar on a ball around the identity (SO3, SO2)
    Gaussian     a Gaussian in the algebra with full covariance
    Identity     no augmentation; Haar: full augmentation (nothing to learn)

A file in this folder that defines a Distribution is found by its class name, and tested.
"""

import sys

from ..names import classes
from ..names import find as _find
from .base import Distribution, Extent
from .fixed import Haar, Identity
from .gaussian import Gaussian
from .haar_ball import HaarBall
from .uniform_box import UniformBox

__all__ = [
    "Distribution",
    "Extent",
    "Gaussian",
    "Haar",
    "HaarBall",
    "Identity",
    "UniformBox",
    "available",
    "find",
]


def available() -> dict[str, type[Distribution]]:
    """Every distribution in this folder, by name."""
    return classes(sys.modules[__name__], Distribution)


def find(name: str) -> type[Distribution]:
    """A distribution's class from "HaarBall" or "package.module:Name"."""
    return _find("distribution", name, sys.modules[__name__], Distribution)
