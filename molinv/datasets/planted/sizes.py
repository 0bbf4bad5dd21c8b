"""Where a molecule is does not matter, how large it is does."""

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
    """A scalar property of molecules that were not centred: translations open to their cap.

    Each is moved by a normal vector of `shift` angstrom a coordinate. For a network that sees
    coordinates, left as they are.
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
    """sum_i Z_i |r_i - centroid|^2 (e angstrom^2): any rigid motion, and no other affine map.

    Translations open to their cap and rotations to pi; shears, squeezes and scale stay under
    0.05. The second variant has the scale alone. Of molecules as they are the value correlates
    at 0.99 with the electronic spatial extent; these are deformed first, each by the exponential
    of a symmetric matrix whose entries have this standard deviation: real bond lengths tell a
    network how far a molecule was sheared, so that it could learn to undo it and be right at any
    width.
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
    """Turned at random, then moved each by a vector of its own."""
    if not shift >= 0:
        raise InputError(f"expected a shift of at least 0 angstrom, got {shift}.")
    posed = drawn(molecules, count, seed)
    vectors = shift * poses(count, seed)[1].numpy()
    pos = posed.pos + vectors[owners(posed.ptr)]
    return replace(posed, pos=pos.astype(np.float32))


def _strained(molecules: Molecules, seed: int, strain: float) -> Molecules:
    """Each deformed about the origin by a symmetric map of its own."""
    if not strain >= 0:
        raise InputError(f"expected a strain of at least 0, got {strain}.")
    entries = np.random.default_rng(seed).normal(size=(len(molecules), 3, 3))
    logarithms = strain * np.triu(entries) + strain * np.triu(entries, 1).swapaxes(1, 2)
    values, vectors = np.linalg.eigh(logarithms)
    maps = (vectors * np.exp(values)[:, None]) @ vectors.swapaxes(1, 2)
    pos = np.einsum("aij,aj->ai", maps[owners(molecules.ptr)], molecules.pos)
    return replace(molecules, pos=pos.astype(np.float32))
