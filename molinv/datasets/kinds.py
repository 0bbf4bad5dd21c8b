"""The kinds of target, by name: the shape of each, and how rotations act on it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from ..actions import Action, Invariant, Irreps, SymmetricTensor, Vector
from ..actions.irreps import parse
from ..errors import InputError, unknown

T = TypeVar("T")

IRREPS = "irreps "  # prefix of kinds such as "irreps 0e + 3o", in e3nn's notation


class Kinds(dict[str, T]):
    """A value for each kind: looked up for the named kinds, and computed for any irreps.

    Iteration gives the named kinds only.
    """

    def __init__(self, named: dict[str, T], of_irreps: Callable[[str], T]):
        super().__init__(named)
        self._of_irreps = of_irreps

    def __contains__(self, kind: object) -> bool:
        if super().__contains__(kind) or not isinstance(kind, str):
            return super().__contains__(kind)
        try:
            return bool(kind.startswith(IRREPS) and parse(kind.removeprefix(IRREPS)))
        except InputError:
            return False

    def __missing__(self, kind: str) -> T:
        if kind not in self:
            raise KeyError(kind)
        return self._of_irreps(kind.removeprefix(IRREPS))


# the shape *e of one target: values are (b, t, *e), or (b, t, n, *e) for a value per atom
SHAPES = Kinds[tuple[int, ...]](
    {
        "scalar": (),
        "class": (),
        "vector": (3,),
        "tensor": (3, 3),
        "atom scalar": (),
        "atom vector": (3,),
    },
    lambda irreps: (Irreps(irreps).dim,),
)
ACTIONS = Kinds[Callable[[], Action]](
    {
        "scalar": Invariant,
        "class": Invariant,
        "vector": Vector,
        "tensor": SymmetricTensor,
        "atom scalar": Invariant,
        "atom vector": Vector,
    },
    lambda irreps: partial(Irreps, irreps),
)


def family(kind: str) -> str:
    """The kind's name, or "irreps" for a kind that is given as irreps."""
    return IRREPS.strip() if kind.startswith(IRREPS) else kind


def of_kind(kind: str) -> Action:
    """The action of a group on outputs of this kind; raises InputError for an unknown kind."""
    if kind not in ACTIONS:
        raise unknown("kind of output", kind, ACTIONS)
    return ACTIONS[kind]()
