"""Tasks with symmetry about all axes, one axis or none: a property, with or without a field.

A field F along n adds F mu.n to the property, where mu is the dipole of the molecule in its pose.
All poses are equally likely. At F = 1 each added term has the variance of the property.
"""

from __future__ import annotations

from math import pi

import numpy as np
from jaxtyping import Float64

from ...errors import InputError
from ...groups import SO3, About, LearnedBasis
from ..molecules import Molecules
from ..split import permutation
from .bodies import (
    at_random,
    dipoles,
    drawn,
    gain,
    nuclear,
    oblique,
    pick,
    scalar,
    source,
    with_term,
)
from .task import Planted, Variant, unchanged
from .truths import AxisIs, Separates, SpanIs, Truth, width

AXES = ("wx", "wy", "wz")
NEAR = 0.8  # above this |cosine| with x, y or z, a box opens part of the way about that axis
Axis = tuple[float, float, float]


def full(
    molecules: Molecules | None = None,
    count: int = 10_000,
    seed: int = 0,
    target: str = "homo",
) -> Planted:
    """A scalar property at random poses; all rotations are symmetries.

    Raises InputError for an unknown target, one that is a sum over atoms, and for a count out of
    range (as all tasks do).
    """
    so3 = SO3()
    variants = (
        Variant(so3, "HaarBall", (width("radius", pi),)),
        Variant(so3, "UniformBox", tuple(width(name, pi) for name in AXES)),
        Variant(LearnedBasis(9, 3), "Gaussian", (SpanIs(so3),), {"init": 0.3}),
    )
    return unchanged("full", drawn(molecules, count, seed), target, variants)


def axial(
    molecules: Molecules | None = None,
    count: int = 10_000,
    seed: int = 0,
    target: str = "homo",
    field: float = 1.0,
    axis: Axis = (0.0, 0.0, 1.0),
) -> Planted:
    """The property in a field along `axis`: only rotations about that axis are symmetries.

    For an axis along x, y or z, a box can represent this symmetry: its half-widths are pi about
    the axis and 0 about the others. For any other axis, every side of the box would turn the
    field, so all half-widths must be 0, while the leading eigenvector of a Gaussian lies along the
    axis. Raises InputError for an axis that is close to x, y or z but not along it.
    """
    posed = drawn(molecules, count, seed)
    p, n = scalar(posed, target), _unit(axis)
    strength = gain(p, dipoles(posed, posed.pos) @ n, field)

    def formula(pos):
        return p + strength * (dipoles(posed, pos) @ n)[:, None]

    largest = np.abs(n).max()
    straight = largest > 1 - 1e-9
    if largest > NEAR and not straight:
        raise InputError(
            f"axial: expected an axis along x, y or z, or more than 37 degrees from each, got "
            f"{list(axis)}: for a closer axis, a box opens part of the way."
        )
    shut: tuple[Truth, ...] = tuple(
        width(name, pi if straight and abs(part) > 0.5 else 0.0)
        for name, part in zip(AXES, n, strict=True)
    )
    box = Variant(SO3(), "UniformBox", shut)
    gauss = Variant(SO3(), "Gaussian", (AxisIs(tuple(n.tolist())),))
    basis = Variant(LearnedBasis(9, 3), "Gaussian", (SpanIs(About(*n.tolist())),), {"init": 0.3})
    return Planted(
        "axial" if straight else "tilted",
        with_term(posed, target, formula),
        formula,
        (box, gauss, basis) if straight else (gauss, box, basis),
    )


def tilted(
    molecules: Molecules | None = None,
    count: int = 10_000,
    seed: int = 0,
    target: str = "homo",
    field: float = 1.0,
    axis: Axis = (0.6, -0.48, 0.64),
) -> Planted:
    """`axial` with an axis that is not along x, y or z."""
    return axial(molecules, count, seed, target, field, axis)


def none(
    molecules: Molecules | None = None,
    count: int = 10_000,
    seed: int = 0,
    target: str = "homo",
    field: float = 1.0,
    parallel: float = 0.9,
) -> Planted:
    """The property + F (mu_z + v_x), with v = sum_i Z_i (r_i - centroid): no symmetry.

    If v were always along mu, the two terms would be one field along another axis. Molecules in
    which |cosine(mu, v)| is above `parallel` are therefore left out.
    """

    def keep(m: Molecules):
        return oblique(dipoles(m, m.pos), nuclear(m, m.pos), parallel)

    posed = drawn(molecules, count, seed, keep)
    p = scalar(posed, target)
    gains = (
        gain(p, dipoles(posed, posed.pos)[:, 2], field),
        gain(p, nuclear(posed, posed.pos)[:, 0], field),
    )

    def formula(pos):
        terms = gains[0] * dipoles(posed, pos)[:, 2] + gains[1] * nuclear(posed, pos)[:, 0]
        return p + terms[:, None]

    so3 = SO3()
    return Planted(
        "none",
        with_term(posed, target, formula),
        formula,
        (
            Variant(so3, "UniformBox", tuple(width(name, 0.0) for name in AXES)),
            Variant(so3, "HaarBall", (width("radius", 0.0),)),
        ),
    )


def per_molecule(
    molecules: Molecules | None = None,
    count: int = 4_000,
    seed: int = 0,
    target: str = "homo",
    field: float = 1.0,
    axis: Axis = (0.0, 0.0, 1.0),
    free: float = 0.2,
) -> Planted:
    """Polar molecules (|mu| > 1 D) are in a field along `axis`, non-polar ones (< 0.1 D) are not.

    Molecules in between are left out. |mu| is the target `mu` of the data; the field's term is
    computed from the charges. `free` is the fraction of non-polar molecules (in QM9 it is below
    1 %). The half-widths about the other two axes are 0 for polar and pi for non-polar molecules,
    so they separate the two kinds. Raises InputError for an axis that is not x, y or z.
    """
    n = _unit(axis)
    if np.abs(n).max() < 1 - 1e-9:
        raise InputError(f"per_molecule: expected an axis along x, y or z, got {list(axis)}.")
    few = round(free * count)
    whole = source(molecules)
    calm = pick(whole, few, seed, lambda m: m.select(["mu"])[:, 0] < 0.1)
    polar = pick(whole, count - few, seed, lambda m: m.select(["mu"])[:, 0] > 1.0)
    mixed = np.concatenate([calm, polar])[permutation(count, seed)]
    posed = at_random(whole.take(mixed), seed)
    p, feels = scalar(posed, target), posed.select(["mu"])[:, 0] > 1.0
    strength = gain(p, (dipoles(posed, posed.pos) @ n)[feels], field) * feels

    def formula(pos):
        return p + (strength * (dipoles(posed, pos) @ n))[:, None]

    closed = tuple(name for name, part in zip(AXES, n, strict=True) if abs(part) < 0.5)
    return Planted(
        "per_molecule",
        with_term(posed, target, formula),
        formula,
        (Variant(SO3(), "Conditional", (Separates(closed, ~feels),)),),
    )


def _unit(axis: Axis) -> Float64[np.ndarray, " 3"]:
    n = np.asarray(axis, np.float64)
    if n.shape != (3,) or not np.isfinite(n).all() or not np.linalg.norm(n) > 0:
        raise InputError(f"expected an axis (x, y, z) of length above 0, got {list(axis)}.")
    return n / np.linalg.norm(n)
