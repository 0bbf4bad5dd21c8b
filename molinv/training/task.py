"""What a run predicts: the targets of its network, their kind, and forces that are a gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..datasets.molecules import Molecules
from ..datasets.targets import Target, one_kind
from ..errors import InputError

LENGTHS = ("angstrom", "Angstrom", "A", "Å", "ang")  # as people write them in units of forces


class Task(NamedTuple):
    """`names` are what the network gives, all of one `kind`; `forces` the gradient of the first."""

    names: list[str]
    kind: str
    forces: str | None = None


def task(molecules: Molecules, names: Sequence[str]) -> Task:
    """The task of these targets: all of one kind, or an energy and its forces.

    Raises InputError for an unknown target, for several kinds, and for forces whose unit is not
    that of the energy over angstrom.
    """
    targets = molecules.describe(names)
    scalars = [t for t in targets if t.kind == "scalar"]
    vectors = [t for t in targets if t.kind == "atom vector"]
    if len(targets) == 2 and len(scalars) == 1 and len(vectors) == 1:
        (energy,), (forces,) = scalars, vectors
        _check_units(energy, forces)
        return Task([energy.name], "scalar", forces.name)
    return Task(list(names), one_kind(targets))


def _check_units(energy: Target, forces: Target) -> None:
    of, _, over = forces.unit.partition("/")
    if (of.strip() or over.strip()) and (of.strip() != energy.unit or over.strip() not in LENGTHS):
        raise InputError(
            f"the forces {forces.name!r} are in {forces.unit}, but the energy {energy.name!r} in "
            f"{energy.unit or 'no unit'}: expected {energy.unit or 'no unit'}/angstrom."
        )
