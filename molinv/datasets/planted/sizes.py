"""Tasks in which translations are symmetries, or all rigid motions but no change of size."""

from __future__ import annotations

from dataclasses import replace
from math import pi

import numpy as np

from ...errors import InputError
from ...groups import Affine3, Scaling, T
from ..molecules import Molecules, Target
from ..placement import poses
from ..ragged import centred, owners, sums
from .bodies import drawn, labelled
from .task import Planted, Variant, unchanged
from .truths import ExtentIs, width


def translation(
    molecules: Molecules | None = None,
    count: int = 10_000,
    seed: int = 0,
    target: str = "homo",
    shift: float = 1.0,
    cap: float = 5.0,
) -> Planted:
    """A scalar property of molecules that are not centred: translations open to their cap.

    Each molecule is shifted by a normal vector with standard deviation `shift` (angstrom) per
    coordinate. `cap` is in angstrom. The network must see coordinates that are not centred. Raises
    InputError for a negative shift.
    """
    group = T(3, cap=cap)
    open_ = tuple(width(name, cap, "angstrom") for name in group.names)
    variants = (Variant(group, "UniformBox", open_),)
    posed = _scattered(molecules, count, seed, shift)
    return unchanged("translation", posed, target, variants, center=False)


def size(
    molecules: Molecules | None = None,
    count: int = 10_000,
    seed: int = 0,
    shift: float = 1.0,
    cap: float = 5.0,
    strain: float = 0.2,
) -> Planted:
    """sum_i Z_i |r_i - centroid|^2 (e angstrom^2): its symmetries are the rigid motions.

    Among affine maps, translations open to their cap and rotations to pi, while shears, squeezes
    and scale stay below 0.05. The second variant has only the scale. For undeformed molecules the
    target correlates at 0.99 with the electronic spatial extent.

    Each molecule is first deformed by the exponential of a symmetric matrix, whose entries have the
    standard deviation `strain`. Otherwise a network could recognise from the bond lengths how far a
    molecule was sheared, learn to undo it, and be accurate at any width. Raises InputError for a
    negative shift or strain.
    """
    posed = _strained(_scattered(molecules, count, seed, shift), seed, strain)

    def formula(pos):
        square = np.square(centred(pos, posed.ptr)).sum(1)
        return sums(posed.z * square, posed.ptr)[:, None]

    group = Affine3(cap=cap)
    truths = [
        width(name, cap if unit == "angstrom" else pi, unit)
        if unit != "log-scale"
        else ExtentIs(name, 0.0, unit, 0.05)
        for name, unit in zip(group.names, group.units, strict=True)
    ]
    y = Target("size", "e angstrom^2", "second moment of the nuclear charge")
    return Planted(
        "size",
        labelled(posed, formula(posed.pos), y),
        formula,
        (
            Variant(group, "UniformBox", tuple(truths)),
            Variant(Scaling(3), "UniformBox", (ExtentIs("scale", 0.0, "log-scale", 0.05),)),
        ),
        center=False,
    )


def _scattered(molecules: Molecules | None, count: int, seed: int, shift: float) -> Molecules:
    """Random molecules in random orientations, each shifted by its own vector."""
    if not shift >= 0:
        raise InputError(f"expected a shift of at least 0 angstrom, got {shift}.")
    posed = drawn(molecules, count, seed)
    vectors = shift * poses(count, seed)[1].numpy()
    pos = posed.pos + vectors[owners(posed.ptr)]
    return replace(posed, pos=pos.astype(np.float32))


def _strained(molecules: Molecules, seed: int, strain: float) -> Molecules:
    """The molecules, each deformed about the origin by its own symmetric map."""
    if not strain >= 0:
        raise InputError(f"expected a strain of at least 0, got {strain}.")
    entries = np.random.default_rng(seed).normal(size=(len(molecules), 3, 3))
    logarithms = strain * np.triu(entries) + strain * np.triu(entries, 1).swapaxes(1, 2)
    values, vectors = np.linalg.eigh(logarithms)
    maps = (vectors * np.exp(values)[:, None]) @ vectors.swapaxes(1, 2)
    pos = np.einsum("aij,aj->ai", maps[owners(molecules.ptr)], molecules.pos)
    return replace(molecules, pos=pos.astype(np.float32))
