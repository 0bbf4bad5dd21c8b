"""What there is to predict: its name, its unit and how it turns with the molecule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from ..errors import InputError, unknown
from .kinds import SHAPES
from .ragged import take

# descriptions of QM9's targets that are never negative: caches and runs of any version have these
NEVER_NEGATIVE = frozenset(
    {
        "dipole moment",
        "isotropic polarisability",
        "lumo minus homo",
        "electronic spatial extent",
        "zero-point vibrational energy",
        "heat capacity at 298.15 K",
    }
)


@dataclass(frozen=True)
class Target:
    """A property of molecules or of their atoms: its name, its unit and what it is.

    `atomwise` marks an energy that is nearly a sum over atoms, from which fitted atom
    references are subtracted before training (U0, U, H and G in QM9). `kind` says how it turns:
    scalar, vector, tensor (symmetric), atom scalar, atom vector, or irreps of O(3) as e3nn writes
    them, "irreps 3o"; "class" is one of `classes`, of which a value is the number, from 0. `least`
    is a number that no value is below, in the target's unit: 0 for those of QM9 that cannot be
    negative, such as the dipole moment. Predictions, in evaluations too, and the lower ends of
    intervals are raised to it.
    """

    name: str
    unit: str
    description: str = ""
    atomwise: bool = False
    kind: str = "scalar"
    classes: tuple[str, ...] = ()
    least: float | None = None

    def __post_init__(self):
        object.__setattr__(self, "classes", tuple(self.classes))
        if (self.kind == "class") != bool(self.classes):
            raise InputError(f"the target {self.name}: expected classes of a kind that has them.")
        if self.least is None and self.description in NEVER_NEGATIVE:
            object.__setattr__(self, "least", 0.0)
        if self.kind not in SHAPES:
            raise unknown(f"kind of the target {self.name}:", self.kind, SHAPES)

    @property
    def by_atom(self) -> bool:
        """Whether there is a value for each atom."""
        return self.kind.startswith("atom")

    def to_json(self) -> dict[str, Any]:
        """For JSON; scalars as they were written before there were other kinds."""
        content = asdict(self)
        content["classes"] = list(self.classes)
        implied = 0.0 if self.description in NEVER_NEGATIVE else None
        for name, usual in (("kind", "scalar"), ("classes", []), ("least", implied)):
            if content[name] == usual:
                del content[name]
        return content


@dataclass(frozen=True, eq=False)
class Field:
    """The values of a target that is not one number a molecule, in its unit.

    (n, *e) for n molecules, or (atoms, *e) for all their atoms, where e is (), (3,), (3, 3)
    or the irreps' dimension, by the target's kind. NaN where a value is missing. Raises InputError
    for another shape.
    """

    target: Target
    values: Float64[np.ndarray, " rows *e"]

    def __post_init__(self):
        expected = SHAPES[self.target.kind]
        if self.values.shape[1:] != expected:
            raise InputError(
                f"{self.target.name}, a {self.target.kind}: expected values "
                f"{('atoms' if self.target.by_atom else 'molecules', *expected)}, got "
                f"{self.values.shape}."
            )

    def take(self, ptr: Int64[np.ndarray, " ends"], indices: Int64[np.ndarray, " m"]) -> Field:
        """Those of the chosen molecules; molecule i has the atoms ptr[i] to ptr[i + 1]."""
        rows = take(ptr, indices)[0] if self.target.by_atom else indices
        return Field(self.target, self.values[rows])


def one_kind(targets: Sequence[Target]) -> str:
    """The kind that all these targets are of; raises InputError where they are of several."""
    kinds = {t.kind: t.name for t in reversed(targets)}
    if len(kinds) > 1:
        said = " and ".join(f"{name} (a {kind})" for kind, name in reversed(kinds.items()))
        raise InputError(
            f"the targets of one run have to be of one kind, got {said}: train one run for each "
            "kind, or an energy with its forces, as in --targets energy,forces."
        )
    return next(iter(kinds))
