"""A target that changes its sign under reflections, and a target that does not."""

from __future__ import annotations

from math import pi

import numpy as np

from ...groups import O3, SO3
from ..molecules import Molecules, Target
from ..ragged import centred, sums
from .bodies import drawn, labelled
from .task import Planted, Variant, unchanged
from .truths import ExtentIs, width

# atomic numbers of the atoms in v_1, v_2 and v_3: hydrogen, carbon, and N, O, F
_KINDS = ((1,), (6,), (7, 8, 9))


def handedness(molecules: Molecules, pos: np.ndarray) -> np.ndarray:
    """The cube root of v_1 . (v_2 x v_3), with v_k of `moments`: (n,), in angstrom^3.

    The cube root keeps the sign and shortens the tails: the kurtosis falls from 370 to 4.
    """
    v = moments(molecules, pos)
    return np.cbrt((v[0] * np.cross(v[1], v[2])).sum(1))


def moments(molecules: Molecules, pos: np.ndarray) -> list[np.ndarray]:
    """v_k = sum_i w_k(z_i) |r_i - c|^k (r_i - c) for k = 1, 2, 3, each (n, 3).

    c is the centroid. w_1 is 1 for H, w_2 for C, and w_3 for N, O and F, and otherwise 0.
    """
    local = centred(pos, molecules.ptr)
    radius = np.linalg.norm(local, axis=1)
    v = []
    for k, kinds in enumerate(_KINDS, start=1):
        weight = np.isin(molecules.z, kinds) * radius**k
        v.append(sums(weight[:, None] * local, molecules.ptr))
    return v


def chirality(
    molecules: Molecules | None = None,
    count: int = 10_000,
    seed: int = 0,
    least: float = 0.5,
) -> Planted:
    """A pseudoscalar target: all rotations are symmetries, and a reflection has probability 0.

    Molecules whose |handedness| is below `least` (angstrom^3) are left out: planar molecules,
    molecules without N, O or F, and others that equal their mirror image. The target is of third
    order in the coordinates, and a network needs products of them to learn it.
    """
    posed = drawn(molecules, count, seed, lambda m: np.abs(handedness(m, m.pos)) > least)

    def formula(pos):
        return handedness(posed, pos)[:, None]

    y = Target("handedness", "angstrom^3", "cube root of a triple product of moments")
    return Planted(
        "chirality",
        labelled(posed, formula(posed.pos), y),
        formula,
        (
            Variant(O3(), "Composed", (width("radius", pi), _reflected(0.0))),
            Variant(SO3(), "HaarBall", (width("radius", pi),)),
        ),
        odd=True,
    )


def achiral(
    molecules: Molecules | None = None,
    count: int = 10_000,
    seed: int = 0,
    target: str = "homo",
) -> Planted:
    """A scalar property: all rotations are symmetries, and half of all elements are reflections."""
    variants = (Variant(O3(), "Composed", (width("radius", pi), _reflected(0.5))),)
    return unchanged("achiral", drawn(molecules, count, seed), target, variants)


def _reflected(p: float) -> ExtentIs:
    """The probability of a reflection; Categorical limits it to 1/2."""
    return ExtentIs("moved", p, "probability", 0.1)
