"""Actions: how a group element moves one kind of object.

    Points      coordinates (b, N, 3), padded or not
    Graph       PyG batches: pos and named vectors
    Invariant   the trivial action
    Vector      dipoles, forces
    SymmetricTensor  polarizabilities

A file in this folder that defines an Action is found by its class name, and tested.
"""

import sys

from ..names import classes
from .base import Action
from .graphs import Graph
from .points import Points
from .tensors import Invariant, SymmetricTensor, Vector

__all__ = ["Action", "Graph", "Invariant", "Points", "SymmetricTensor", "Vector", "available"]


def available() -> dict[str, type[Action]]:
    """Every action in this folder, by name."""
    return classes(sys.modules[__name__], Action)
