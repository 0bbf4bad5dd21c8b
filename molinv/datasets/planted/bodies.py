"""Sums over the atoms of many molecules at once, and frames that are made from these vectors.

Arrays are flat as in `Molecules`: pos (atoms, 3) is in angstrom, and ptr has the first atom of
each molecule. Everything is float64, without a loop over molecules.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float64, Int64

from ...errors import InputError
from ..molecules import Molecules, Target
from ..moments import DEBYE
from ..placement import poses
from ..ragged import centred, owners, sums
from ..split import permutation
from ..targets import Field

Vectors = Float64[np.ndarray, "n 3"]
Frames = Float64[np.ndarray, "n 3 3"]
Atoms = Float64[np.ndarray, "atoms 3"]


def dipoles(molecules: Molecules, pos: Atoms) -> Vectors:
    """sum_i q_i r_i of the Mulliken charges, in D, for the atoms at `pos`.

    Raises InputError if the molecules have no charges.
    """
    if molecules.charges is None:
        raise InputError(
            "dipoles: expected molecules with charges, such as QM9's; these have none."
        )
    q = molecules.charges[:, None].astype(np.float64)
    return DEBYE * sums(q * centred(pos, molecules.ptr), molecules.ptr)


def nuclear(molecules: Molecules, pos: Atoms) -> Vectors:
    """sum_i Z_i (r_i - centroid), in e angstrom; it points towards the heavy atoms."""
    z = molecules.z[:, None].astype(np.float64)
    return sums(z * centred(pos, molecules.ptr), molecules.ptr)


def turned(molecules: Molecules, turns: Frames) -> Molecules:
    """The molecules, centred and each turned by its own rotation."""
    local = centred(molecules.pos, molecules.ptr)
    pos = np.einsum("aij,aj->ai", turns[owners(molecules.ptr)], local)
    return replace(molecules, pos=pos.astype(np.float32))


def at_random(molecules: Molecules, seed: int) -> Molecules:
    """The molecules, centred and turned by Haar-random rotations.

    QM9's stored orientations are not random.
    """
    return turned(molecules, poses(len(molecules), seed)[0].numpy())


def drawn(
    molecules: Molecules | None,
    count: int,
    seed: int,
    keep: Callable[[Molecules], Bool[np.ndarray, " n"]] | None = None,
) -> Molecules:
    """`count` of the molecules (by default of QM9), in random orientations; see `pick`."""
    whole = source(molecules)
    return at_random(whole.take(pick(whole, count, seed, keep)), seed)


def frames(first: Vectors, second: Vectors) -> Frames:
    """The rotations that take `first` to the x axis and `second` into the xy plane, y > 0."""
    x = first / np.linalg.norm(first, axis=1, keepdims=True)
    y = second - (second * x).sum(1, keepdims=True) * x
    y /= np.linalg.norm(y, axis=1, keepdims=True)
    return np.stack([x, y, np.cross(x, y)], 1)


def oblique(
    a: Vectors, b: Vectors, parallel: float, shortest: float = 0.1
) -> Bool[np.ndarray, " n"]:
    """Whether both vectors are longer than `shortest` and their |cosine| is at most `parallel`."""
    lengths = np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1)
    cosine = (a * b).sum(1) / np.maximum(lengths[0] * lengths[1], 1e-12)
    return (np.abs(cosine) <= parallel) & (lengths[0] > shortest) & (lengths[1] > shortest)


def source(molecules: Molecules | None) -> Molecules:
    """The molecules, or QM9 for None."""
    if molecules is not None:
        return molecules
    from ..qm9 import open_qm9

    return open_qm9()


def pick(
    molecules: Molecules,
    count: int,
    seed: int,
    keep: Callable[[Molecules], Bool[np.ndarray, " n"]] | None = None,
) -> Int64[np.ndarray, " m"]:
    """The indices of `count` random molecules, among those for which `keep` is True.

    Raises InputError if there are fewer than `count`, and for a count below 2.
    """
    order = permutation(len(molecules), seed)
    if keep is not None:
        order = order[keep(molecules)[order]]
    if not 2 <= count <= len(order):
        raise InputError(
            f"expected a count of at least 2 and at most the {len(order):,} molecules that suit "
            f"this task, got {count:,}."
        )
    return order[:count]


def scalar(molecules: Molecules, name: str) -> Float64[np.ndarray, "n 1"]:
    """A property of the molecules, by name.

    Raises InputError for an unknown property, and for an energy that is nearly a sum over atoms:
    its variance would come from the sizes of the molecules.
    """
    if molecules.describe([name])[0].atomwise:
        raise InputError(
            f"{name} is nearly a sum over atoms, and its variance would hide what is planted: "
            "choose another property, such as homo."
        )
    return molecules.select([name])


def gain(p: np.ndarray, term: np.ndarray, field: float) -> float:
    """The factor for a planted term; at `field` = 1 the term has the variance of the property p.

    Raises InputError for a field that is not above 0.
    """
    if not field > 0:
        raise InputError(f"expected a field above 0, got {field}.")
    return field * float(p.std() / term.std())


def with_term(posed: Molecules, target: str, formula, what: str = "with a planted term"):
    """The molecules with the property and a planted term as their only target."""
    described = posed.describe([target])[0]
    about = f"{described.description}, {what}"
    return labelled(posed, formula(posed.pos), Target(target, described.unit, about))


def labelled(
    molecules: Molecules,
    y: Float64[np.ndarray, "n t"],
    *targets: Target,
    fields: tuple[Field, ...] = (),
) -> Molecules:
    """The molecules with only these targets: their own vectors belong to other orientations."""
    return replace(molecules, y=y, targets=targets, fields=fields)
