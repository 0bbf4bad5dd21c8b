"""Conditions that every molecule must satisfy before training.

All checks are vectorised over the whole set: no loop over molecules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int64

from ..errors import InputError

if TYPE_CHECKING:
    from .molecules import Molecules

HEAVIEST = 118  # oganesson, the last element that has a name
CLOSEST = 1e-3  # angstrom; atoms closer than this are taken as one atom written twice


def check(molecules: Molecules) -> Molecules:
    """Return `molecules` unchanged, or raise InputError naming the first bad molecule.

    Rejects empty molecules, atomic numbers outside 1 to 118, coordinates, charges and targets that
    are not finite, and two atoms of a molecule closer than 1e-3 angstrom.
    """
    z, pos, ptr, y = molecules.z, molecules.pos, molecules.ptr, molecules.y

    def name(molecule: int) -> str:
        return f"molecule {molecule} (id {molecules.ids[molecule]!r})"

    def owner(atom: int) -> int:
        return int(np.searchsorted(ptr, atom, side="right")) - 1

    if len(empty := np.flatnonzero(np.diff(ptr) < 1)):
        raise InputError(f"{name(int(empty[0]))} has no atoms: leave it out.")
    if len(bad := np.flatnonzero((z < 1) | (z > HEAVIEST))):
        atom = int(bad[0])
        raise InputError(
            f"{name(owner(atom))} has an atom of atomic number {z[atom]}: "
            f"expected elements 1 to {HEAVIEST}."
        )
    if len(bad := np.flatnonzero(~np.isfinite(pos).all(1))):
        raise InputError(
            f"{name(owner(int(bad[0])))} has coordinates {pos[bad[0]].tolist()}: "
            "expected finite numbers in angstrom."
        )
    if molecules.charges is not None and len(
        bad := np.flatnonzero(~np.isfinite(molecules.charges))
    ):
        raise InputError(f"{name(owner(int(bad[0])))} has a charge that is not a finite number.")
    if len(bad := np.argwhere(~np.isfinite(y))):
        molecule, column = bad[0].tolist()
        raise InputError(
            f"{name(molecule)} has {molecules.targets[column].name} = {y[molecule, column]}: "
            "expected a finite number; leave out molecules without one."
        )
    if (atom := first_coincident(pos, ptr)) is not None:
        raise InputError(
            f"{name(owner(atom))} has two atoms less than {CLOSEST} angstrom apart at "
            f"{pos[atom].tolist()}: remove one of them."
        )
    return molecules


def first_coincident(
    pos: Float[np.ndarray, "atoms 3"], ptr: Int64[np.ndarray, " ends"]
) -> int | None:
    """The index of an atom that nearly coincides with another atom of its molecule, or None.

    Step k compares each atom with the atom k places after it, over all molecules at once. The
    number of steps is the number of atoms of the largest molecule.
    """
    last = np.repeat(ptr[1:], np.diff(ptr))
    atoms = np.arange(len(pos))
    step = 1
    while len(atoms := atoms[atoms + step < last[atoms]]):
        apart = pos[atoms + step] - pos[atoms]
        if len(bad := np.flatnonzero((apart * apart).sum(1) < CLOSEST**2)):
            return int(atoms[bad[0]])
        step += 1
    return None
