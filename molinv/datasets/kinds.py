"""The kinds of output that molecules have, by name: how each turns, and its shape."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from ..actions import Action, Invariant, Irreps, SymmetricTensor, Vector
from ..actions.irreps import parse
from ..errors import InputError, unknown

T = TypeVar("T")

IRREPS = "irreps "  # what the kinds begin with that go on as e3nn writes irreps: "irreps 0e + 3o"


class Kinds(dict[str, T]):
    """What is known of each kind. It lists those that have a name, and knows all irreps too."""

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


# of one target: of a molecule (b, t, *e), or of its n atoms (b, t, n, *e)
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
    """The kind's name, which is "irreps" for all of those."""
    return IRREPS.strip() if kind.startswith(IRREPS) else kind


def of_kind(kind: str) -> Action:
    """How a group acts on outputs of this kind; InputError for a kind that does not exist."""
    if kind not in ACTIONS:
        raise unknown("kind of output", kind, ACTIONS)
    return ACTIONS[kind]()
