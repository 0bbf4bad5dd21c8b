"""The subject of an analysis: a function of coordinates, and its molecules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from ..actions import Action
from ..datasets.features import Features
from ..datasets.kinds import ACTIONS, SHAPES, of_kind
from ..distributions import Distribution
from ..errors import InputError, unknown
from ..prediction.batches import budget, by_sizes

_CPU = torch.device("cpu")
Function = Callable[[Float[Tensor, "b n 3"], Int64[Tensor, "b n"]], Tensor]


NUMBER = 1000  # z of molecule i (from 0) is its atomic numbers plus (i + 1) * NUMBER
CELL = 900  # z of a batch's rows that hold cell vectors; PERIODIC if the cell repeats along them
PERIODIC = 901


def of_atoms(z: Int64[Tensor, "*b n"]) -> Bool[Tensor, "*b n"]:
    """Which rows of a batch are atoms: neither padding nor vectors of a cell."""
    return (z > 0) & (z % NUMBER < CELL)


def named_in(z: Int64[Tensor, "b n"]) -> tuple[Int64[Tensor, " b"], Int64[Tensor, "b n"]]:
    """The indices of the molecules of a batch, encoded in its z, and their atomic numbers."""
    return z.max(1).values // NUMBER - 1, z % NUMBER


@dataclass(frozen=True)
class Quantity:
    """One output of the function."""

    name: str
    unit: str

    def axis(self, what: str) -> str:
        """The label of an axis or a column in this unit: "error (meV)"."""
        return f"{what} ({self.unit})" if self.unit else what


@dataclass(frozen=True, eq=False)
class Structures:
    """m molecules, with coordinates (angstrom) relative to their centre of rotation.

    pos, z     one tensor (n_i, 3) and one (n_i,) for each molecule
    y          true values (m, t, *e) in the quantities' units, or None
    features   features(index, atoms) gives the further inputs of a model that takes some; the z of
               a batch then encodes the molecules' indices (see `named_in`)
    cells      cell vectors (3, 3) of crystals, in rows; they are the last three rows of a batch, so
               that they rotate with the atoms
    periodic   (3,) for each crystal, along which vectors it repeats
    """

    pos: Sequence[Float[Tensor, "_ 3"]]
    z: Sequence[Int64[Tensor, " _"]]
    y: Float[Tensor, "m t *e"] | None = None
    names: Sequence[str] = ()
    features: Callable[[Int64[Tensor, " b"], int], Features] | None = None
    cells: Sequence[Float[Tensor, "3 3"]] = ()
    periodic: Sequence[Bool[Tensor, " 3"]] = ()

    def __post_init__(self):
        if not self.pos or len(self.pos) != len(self.z):
            raise InputError(
                "expected one tensor of coordinates and one of elements for each molecule, got "
                f"{len(self.pos)} and {len(self.z)}."
            )
        if self.y is not None and len(self.y) != len(self):
            raise InputError(f"expected {len(self)} rows of true values, got {len(self.y)}.")

    def __len__(self) -> int:
        return len(self.pos)

    @property
    def sizes(self) -> Int64[Tensor, " m"]:
        """The number of atoms of each molecule."""
        return torch.tensor([len(z) for z in self.z])

    def batch(
        self, index: Sequence[int] | Int64[Tensor, " b"], atoms: int | None = None
    ) -> tuple[Float[Tensor, "b n 3"], Int64[Tensor, "b n"]]:
        """Coordinates and atomic numbers, padded with zeros to the largest, or to `atoms` rows."""
        chosen = [int(i) for i in index]
        n = max(len(self.z[i]) for i in chosen) + 3 * bool(self.cells) if atoms is None else atoms
        pos = self.pos[0].new_zeros(len(chosen), n, 3)
        z = self.z[0].new_zeros(len(chosen), n)
        for row, i in enumerate(chosen):
            named = 0 if self.features is None else NUMBER * (i + 1)
            pos[row, : len(self.z[i])], z[row, : len(self.z[i])] = self.pos[i], self.z[i] + named
            if self.cells:
                pos[row, -3:] = self.cells[i].to(pos)
                z[row, -3:] = CELL + self.periodic[i].long()
        return pos, z

    def first(self, count: int) -> Structures:
        """The first molecules; features go by index, so they still apply."""
        names = ("pos", "z", "names", "cells", "periodic")
        cut = {name: getattr(self, name)[:count] for name in names}
        return replace(self, y=None if self.y is None else self.y[:count], **cut)

    def blocks(self, size: int, device: torch.device = _CPU) -> list[Int64[Tensor, " b"]]:
        """All molecules in blocks of similar ones, at most `size` and as many as fit a device."""
        parts = by_sizes(self.sizes.numpy(), budget(device), size)
        return [torch.from_numpy(part) for part in reversed(parts)]  # largest first

    def each(
        self,
        function: Callable[[Tensor, Tensor, Tensor], tuple[Tensor, ...]],
        blocks: Sequence[Int64[Tensor, " b"]],
        atoms: int | None = None,
    ) -> list[Tensor]:
        """function(index, pos, z) for blocks of molecules; its tensors in the molecules' order."""
        parts = [function(index, *self.batch(index, atoms)) for index in blocks]
        back = torch.cat(list(blocks)).argsort()
        return [torch.cat(values)[back] for values in zip(*parts, strict=True)]


@dataclass(frozen=True, eq=False)
class Subject:
    """A function from coordinates (b, n, 3) and elements (b, n) to (b, t, *e), by quantity.

    kind     how its outputs rotate: "scalar" (b, t), "vector" (b, t, 3), "tensor" (b, t, 3, 3),
             "atom scalar" (b, t, n) and "atom vector" (b, t, n, 3), with zeros for padding
    module   the torch module inside the function, or None
    distribution, history, folder   a run's trained distribution, the rows of its metrics.csv and
             its folder
    dtype, device   where and in which precision the function takes its inputs
    rounding the precision of a calculator's results; None for others, which have dtype
    bind     makes a function that takes features into a function of given structures
    potential  energies (b,) in eV and forces (b, n, 3) in eV/angstrom, if a calculator has both
    facts    shown at the head of a report
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
    device: torch.device = _CPU
    bind: Callable[[Structures], Function] | None = None
    potential: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] | None = None
    rounding: torch.dtype | None = None

    def __post_init__(self):
        if self.kind not in ACTIONS:
            raise unknown("kind of output", self.kind, ACTIONS)

    @property
    def names(self) -> list[str]:
        return [quantity.name for quantity in self.quantities]

    @property
    def output(self) -> Action:
        """How a rotation acts on what the function returns."""
        return of_kind(self.kind)

    @property
    def by_atom(self) -> bool:
        """Whether there is a value for each atom."""
        return self.kind.startswith("atom")

    @property
    def symmetry(self) -> str:
        """The word for outputs that respect rotations: "invariant" or "equivariant"."""
        return "invariant" if self.kind.endswith("scalar") else "equivariant"

    @property
    def several(self) -> str:
        """ ", mean of 3 quantities", or nothing for a single one."""
        t = len(self.quantities)
        return "" if t == 1 else f", mean of {t} quantities"

    def entries(self, atoms: int) -> tuple[int, ...]:
        """The shape *e of one quantity, for molecules padded to this number of atoms."""
        return (atoms, *SHAPES[self.kind]) if self.by_atom else SHAPES[self.kind]

    def of(self, structures: Structures) -> Subject:
        """The subject bound to the features of these structures, if it takes some."""
        return self if self.bind is None else replace(self, call=self.bind(structures))

    def on(self, device: torch.device) -> Subject:
        """The same subject on another device.

        Raises InputError for a float64 function on a device without float64 (Apple's GPUs).
        """
        if device.type == "mps" and self.dtype == torch.float64:
            raise InputError(f"{self.name} needs float64, which {device} lacks; use --device cpu.")
        if self.module is not None:
            self.module.to(device)
        return replace(self, device=device)

    def __call__(self, pos: Float[Tensor, "b n 3"], z: Int64[Tensor, "b n"]) -> Tensor:
        """Outputs (b, t, *e) on the CPU.

        Raises InputError if they have another shape or are not finite.
        """
        values = self.call(pos.to(self.device, self.dtype), z.to(self.device))
        expected = (len(pos), len(self.quantities), *self.entries(z.shape[1]))
        if not isinstance(values, Tensor) or tuple(values.shape) != expected:
            got = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
            raise InputError(
                f"{self.name}: expected a tensor {expected} for {len(pos)} molecules and "
                f"{len(self.quantities)} quantities of kind {self.kind}, got {got}."
            )
        if not torch.isfinite(values).all():
            raise InputError(f"{self.name} returned a value that is not finite.")
        return values.cpu()


def only(
    subject: Subject, structures: Structures, names: Sequence[str]
) -> tuple[Subject, Structures]:
    """Both restricted to these quantities, in this order; InputError for an unknown one."""
    for name in names:
        if name not in subject.names:
            raise unknown(f"target of {subject.name}:", name, subject.names)
    columns = [subject.names.index(name) for name in dict.fromkeys(names)]

    def call(pos: Tensor, z: Tensor) -> Tensor:
        return subject.call(pos, z)[:, columns]

    chosen = tuple(subject.quantities[i] for i in columns)
    y = None if structures.y is None else structures.y[:, columns]
    return replace(subject, call=call, quantities=chosen), replace(structures, y=y)
