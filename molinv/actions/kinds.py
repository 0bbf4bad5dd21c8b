"""The kinds of output that molecules have, by name: how each turns, and its shape."""

from __future__ import annotations

from ..errors import unknown
from .base import Action
from .tensors import Invariant, SymmetricTensor, Vector

# of one target: of a molecule (b, t, *e), or of its n atoms (b, t, n, *e)
SHAPES: dict[str, tuple[int, ...]] = {
    "scalar": (),
    "vector": (3,),
    "tensor": (3, 3),
    "atom scalar": (),
    "atom vector": (3,),
}
ACTIONS: dict[str, type[Action]] = {
    "scalar": Invariant,
    "vector": Vector,
    "tensor": SymmetricTensor,
    "atom scalar": Invariant,
    "atom vector": Vector,
}


def of_kind(kind: str) -> Action:
    """How a group acts on outputs of this kind; InputError for a kind that does not exist."""
    if kind not in ACTIONS:
        raise unknown("kind of output", kind, ACTIONS)
    return ACTIONS[kind]()
