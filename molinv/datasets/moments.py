"""Targets that follow from the charges of the atoms: the charges and their multipole moments.

QM9 has Mulliken charges at B3LYP/6-31G(2df,p). Point charges are not the electron density: the
length of their dipole correlates with the dipole moment of the density (mu) at 0.94, not 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import sqrt

import numpy as np
import torch
from jaxtyping import Float64

from ..groups.wigner import harmonics
from .molecules import Molecules
from .ragged import centred, sums
from .targets import Field, Target

DEBYE = 4.803204712570263  # 1 e angstrom in D (CODATA 2018)
UNITS = {"dipole": {"e angstrom": 1.0, "D": DEBYE}}  # available units; the first is the default
TARGETS = (
    Target("charges", "e", "Mulliken charge of each atom", kind="atom scalar"),
    Target("dipole", "e angstrom", "of the Mulliken charges: sum of q r", kind="vector"),
    Target(
        "quadrupole",
        "e angstrom^2",
        "of the Mulliken charges: sum of q r r^T about the centroid",
        kind="tensor",
    ),
    Target(
        "octupole",
        "e angstrom^3",
        "of the Mulliken charges: sum of q |r|^3 C_3 about the centroid, as e3nn orders it",
        kind="irreps 3o",
    ),
)


def with_moments(
    molecules: Molecules, names: Sequence[str], units: dict[str, str | None] | None = None
) -> Molecules:
    """The molecules with the targets among `names` that follow from their charges.

    `units` chooses a unit of `UNITS` for a target. Moments are about the unweighted centroid of
    the atoms; the dipole of a neutral molecule does not depend on that choice. Molecules without
    charges are returned unchanged.
    """
    known = {f.target.name for f in molecules.fields} | {t.name for t in molecules.targets}
    if molecules.charges is None or known.issuperset(names):
        return molecules
    fields = list(molecules.fields)
    # for an unknown name, add all targets, so that the error message can suggest the nearest
    mistyped = not known.union(t.name for t in TARGETS).issuperset(names)
    for target in TARGETS:
        if target.name in known or not (mistyped or target.name in names):
            continue
        values = _values(molecules, target.name)
        asked = (units or {}).get(target.name)
        if asked in (factors := UNITS.get(target.name, {})):
            target, values = replace(target, unit=asked), values * factors[asked]
        fields.append(Field(target, values))
    return replace(molecules, fields=tuple(fields))


def _values(molecules: Molecules, name: str) -> Float64[np.ndarray, " rows *e"]:
    assert molecules.charges is not None
    q, ptr = np.asarray(molecules.charges, np.float64), molecules.ptr
    if name == "charges":
        return q
    r = centred(molecules.pos, ptr)
    if name == "dipole":
        return sums(q[:, None] * r, ptr)
    if name == "quadrupole":
        return sums(q[:, None, None] * r[:, :, None] * r[:, None], ptr)
    length = np.linalg.norm(r, axis=1, keepdims=True)
    unit = torch.from_numpy(r / np.maximum(length, 1e-12))
    racah = harmonics(unit, 3).numpy() / sqrt(7)  # Stone, The Theory of Intermolecular Forces
    return sums(q[:, None] * length**3 * racah, ptr)
