"""What is analysed: a function of coordinates, and the molecules it is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from ..actions import Action
from ..datasets.kinds import ACTIONS, SHAPES, of_kind
from ..distributions import Distribution
from ..errors import InputError, unknown

Function = Callable[[Float[Tensor, "b n 3"], Int64[Tensor, "b n"]], Tensor]


@dataclass(frozen=True)
class Quantity:
    """One output of the function."""

    name: str
    unit: str


@dataclass(frozen=True, eq=False)
class Structures:
    """m molecules: their coordinates (angstrom, about the point they are turned about).

    `pos` and `z` hold one tensor (n_i, 3) and (n_i,) for each; `y` the true values (m, t, *e), in
    the quantities' units, or None.
    """

    pos: Sequence[Float[Tensor, "_ 3"]]
    z: Sequence[Int64[Tensor, " _"]]
    y: Float[Tensor, "m t *e"] | None = None
    names: Sequence[str] = ()

    def __post_init__(self):
        if not self.pos or len(self.pos) != len(self.z):
            raise InputError(
                f"expected as many coordinates as elements of at least one molecule, got "
                f"{len(self.pos)} and {len(self.z)}."
            )
        if self.y is not None and len(self.y) != len(self.pos):
            raise InputError(f"expected {len(self.pos)} rows of true values, got {len(self.y)}.")

    def __len__(self) -> int:
        return len(self.pos)

    @property
    def sizes(self) -> Int64[Tensor, " m"]:
        """The number of atoms of each."""
        return torch.tensor([len(z) for z in self.z])

    def batch(
        self, index: Sequence[int] | Int64[Tensor, " b"], atoms: int | None = None
    ) -> tuple[Float[Tensor, "b n 3"], Int64[Tensor, "b n"]]:
        """Coordinates and atomic numbers, padded with zeros to the largest, or to `atoms`."""
        chosen = [int(i) for i in index]
        n = max(len(self.z[i]) for i in chosen) if atoms is None else atoms
        pos = self.pos[0].new_zeros(len(chosen), n, 3)
        z = self.z[0].new_zeros(len(chosen), n)
        for row, i in enumerate(chosen):
            pos[row, : len(self.z[i])], z[row, : len(self.z[i])] = self.pos[i], self.z[i]
        return pos, z

    def blocks(self, size: int) -> list[Int64[Tensor, " b"]]:
        """All molecules, largest first, in blocks of at most `size`: little is padding."""
        return list(torch.sort(self.sizes, descending=True, stable=True).indices.split(size))


@dataclass(frozen=True, eq=False)
class Subject:
    """A function from coordinates (b, n, 3) and elements (b, n) to (b, t, *e), by quantity.

    `kind` says how its outputs turn: "scalar" (b, t), "vector" (b, t, 3), "tensor" (b, t, 3, 3),
    "atom scalar" (b, t, n) and "atom vector" (b, t, n, 3) with zeros for padding; `dtype` is that
    of the coordinates it is given.
    `module` is the torch module inside it, where there is one: its layers can be looked into.
    `distribution` is the one that was trained with it, `history` the rows of its metrics.csv,
    `folder` its run folder, `facts` what a report says of it.
    """

    name: str
    call: Function
    quantities: tuple[Quantity, ...]
    kind: str = "scalar"
    module: nn.Module | None = None
    distribution: Distribution | None = None
    history: Sequence[dict[str, float]] = ()
    folder: Path | None = None
    dtype: torch.dtype = torch.float32
    facts: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        if self.kind not in ACTIONS:
            raise unknown("kind of output", self.kind, ACTIONS)

    @property
    def output(self) -> Action:
        """How a rotation acts on what the function returns."""
        return of_kind(self.kind)

    @property
    def by_atom(self) -> bool:
        """Whether there is a value for each atom."""
        return self.kind.startswith("atom")

    def entries(self, atoms: int) -> tuple[int, ...]:
        """The shape *e of one quantity of molecules padded to so many atoms."""
        return (atoms, *SHAPES[self.kind]) if self.by_atom else SHAPES[self.kind]

    def __call__(self, pos: Float[Tensor, "b n 3"], z: Int64[Tensor, "b n"]) -> Tensor:
        """(b, t, *e); raises InputError where the function returns another shape, or NaN."""
        values = self.call(pos, z)
        expected = (len(pos), len(self.quantities), *self.entries(z.shape[1]))
        if not isinstance(values, Tensor) or tuple(values.shape) != expected:
            got = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
            raise InputError(
                f"{self.name}: expected a tensor {expected} for {len(pos)} molecules and "
                f"{len(self.quantities)} quantities of kind {self.kind}, got {got}."
            )
        if not torch.isfinite(values).all():
            raise InputError(f"{self.name} returned a value that is not finite.")
        return values


def only(
    subject: Subject, structures: Structures, names: Sequence[str]
) -> tuple[Subject, Structures]:
    """The same with these quantities alone, in this order; maps are of the first.

    Raises InputError for a name that is not among the subject's.
    """
    known = [q.name for q in subject.quantities]
    for name in names:
        if name not in known:
            raise unknown(f"target of {subject.name}:", name, known)
    columns = [known.index(name) for name in dict.fromkeys(names)]

    def call(pos: Tensor, z: Tensor) -> Tensor:
        return subject.call(pos, z)[:, columns]

    chosen = tuple(subject.quantities[i] for i in columns)
    y = None if structures.y is None else structures.y[:, columns]
    return replace(subject, call=call, quantities=chosen), replace(structures, y=y)
