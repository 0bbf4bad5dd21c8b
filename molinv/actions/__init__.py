"""Actions: how a group element moves one kind of object.

    Points      coordinates (b, N, 3), padded or not
    Graph       PyG batches: pos and named vectors
    Invariant   the trivial action
    Vector      dipoles, forces
    SymmetricTensor  polarizabilities
    Parts       tuples and dicts of such objects
    Irreps      features of any degree and parity, as e3nn orders them
    Image       pictures (b, c, h, w)
    Segmentation  scores for every pixel, and label maps
    Colour      the channels of RGB pictures

An Action defined in a file of this folder is found by its class name, and the tests check it.
"""

import sys

from ..names import classes
from .base import Action
from .cartesian import Invariant, Points, SymmetricTensor, Vector
from .colour import Colour
from .graphs import Graph
from .images import Image, Segmentation
from .irreps import Irreps
from .parts import Parts, as_action

# fmt: off
__all__ = [
    "Action", "Colour", "Graph", "Image", "Invariant", "Irreps", "Parts", "Points", "Segmentation",
    "SymmetricTensor", "Vector", "as_action", "available",
]
# fmt: on


def available() -> dict[str, type[Action]]:
    """All action classes in this folder, by name."""
    return classes(sys.modules[__name__], Action)
