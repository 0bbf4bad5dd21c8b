"""Targets that follow from the charges of a molecule's atoms: those, their dipole and quadrupole.

QM9's are Mulliken's at B3LYP/6-31G(2df,p). Point charges are not the electron density: the length
of their dipole goes with that of the density's (mu) at a correlation of 0.94, not of 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float64

from .molecules import Molecules
from .targets import Field, Target

DEBYE = 4.803204712570263  # in one e angstrom (CODATA 2018)
UNITS = {"dipole": {"e angstrom": 1.0, "D": DEBYE}}  # to choose from, the first by default
TARGETS = (
    Target("charges", "e", "Mulliken charge of each atom", kind="atom scalar"),
    Target("dipole", "e angstrom", "of the Mulliken charges: sum of q r", kind="vector"),
    Target(
        "quadrupole",
        "e angstrom^2",
        "of the Mulliken charges: sum of q r r^T about the centroid",
        kind="tensor",
    ),
)


def with_moments(
    molecules: Molecules, names: Sequence[str], units: dict[str, str | None] | None = None
) -> Molecules:
    """The molecules, with the targets that follow from their charges, if a name needs them.

    `units` chooses one of `UNITS`. All are about the centroid of the atoms, which is of no
    consequence for the dipole of a neutral molecule. Data without charges stays as it is.
    """
    known = {f.target.name for f in molecules.fields} | {t.name for t in molecules.targets}
    if molecules.charges is None or known.issuperset(names):
        return molecules
    fields = list(molecules.fields)
    for target in TARGETS:
        if target.name in known:
            continue
        values = _values(molecules, target.name)
        asked = (units or {}).get(target.name)
        if asked in (factors := UNITS.get(target.name, {})):
            target, values = replace(target, unit=asked), values * factors[asked]
        fields.append(Field(target, values))
    return replace(molecules, fields=tuple(fields))


def _values(molecules: Molecules, name: str) -> Float64[np.ndarray, " rows *e"]:
    assert molecules.charges is not None
    q, start = np.asarray(molecules.charges, np.float64), molecules.ptr[:-1]
    if name == "charges":
        return q
    pos, sizes = np.asarray(molecules.pos, np.float64), molecules.sizes
    centroid = np.add.reduceat(pos, start) / sizes[:, None]
    r = pos - np.repeat(centroid, sizes, axis=0)
    if name == "dipole":
        return np.add.reduceat(q[:, None] * r, start)
    return np.add.reduceat(q[:, None, None] * r[:, :, None] * r[:, None], start)
