"""Describe what is predicted: its name, its unit and how rotations act on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from ..errors import InputError, unknown
from .kinds import SHAPES
from .ragged import take

# descriptions of QM9's targets that are never negative; caches and runs of all versions have them
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
    """A property of molecules or of their atoms.

    name         of the column, e.g. "homo"
    unit         e.g. "meV"
    description  what the property is
    atomwise     True for an energy that is nearly a sum over atoms, such as U0, U, H and G in QM9.
                 Fitted atom references are subtracted from it before training
    kind         how rotations act on it: scalar, vector, tensor (symmetric), atom scalar, atom
                 vector, or irreps of O(3) in e3nn's notation, such as "irreps 3o"; or "class"
    classes      the names of the classes; a value is an index, from 0
    least        a lower bound of the values, in `unit`: 0 for properties of QM9 that cannot be
                 negative, such as the dipole moment. Predictions and the lower ends of intervals
                 are raised to it

    Raises InputError for an unknown kind, and if classes and kind do not match.
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
            raise InputError(
                f"the target {self.name}: expected classes if and only if its kind is 'class'."
            )
        if self.least is None and self.description in NEVER_NEGATIVE:
            object.__setattr__(self, "least", 0.0)
        if self.kind not in SHAPES:
            raise unknown(f"kind of the target {self.name}:", self.kind, SHAPES)

    @property
    def by_atom(self) -> bool:
        """Whether there is a value for each atom."""
        return self.kind.startswith("atom")

    def to_json(self) -> dict[str, Any]:
        """The fields for JSON; newer fields are left out if they have their default value."""
        content = asdict(self)
        content["classes"] = list(self.classes)
        implied = 0.0 if self.description in NEVER_NEGATIVE else None
        for name, usual in (("kind", "scalar"), ("classes", []), ("least", implied)):
            if content[name] == usual:
                del content[name]
        return content


@dataclass(frozen=True, eq=False)
class Field:
    """The values of a target that is not one number per molecule, in its unit.

    Values are (n, *e) for n molecules, or (atoms, *e) for all their atoms. The shape e follows from
    the target's kind: (), (3,), (3, 3) or the dimension of the irreps. Missing values are NaN.
    Raises InputError for another shape.
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
        """The values of the chosen molecules; molecule i has the atoms ptr[i] to ptr[i + 1]."""
        rows = take(ptr, indices)[0] if self.target.by_atom else indices
        return Field(self.target, self.values[rows])


def one_kind(targets: Sequence[Target]) -> str:
    """The common kind of the targets; raises InputError if they are of several kinds."""
    kinds = {t.kind: t.name for t in reversed(targets)}
    if len(kinds) > 1:
        said = " and ".join(f"{name} (a {kind})" for kind, name in reversed(kinds.items()))
        raise InputError(
            f"the targets of one run have to be of one kind, got {said}: train one run for each "
            "kind, or an energy with its forces, as in --targets energy,forces."
        )
    return next(iter(kinds))
