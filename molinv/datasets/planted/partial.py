"""Targets that distinguish a few poses: rotations are symmetries up to a known angle only.

Molecules are stored at separate poses, and each pose adds its level to the property. A molecule
that is moved by less than half the distance to the next pose can still be assigned to its own
pose. Moved by more, the same molecule at the same place would have two labels. Levels alternate,
so that neighbours differ by at least one standard deviation of the property.
"""

from __future__ import annotations

from math import pi

import numpy as np
import torch
from jaxtyping import Float64, Int64

from ...errors import InputError
from ...groups import SO3, About
from ..molecules import Molecules
from ..placement import poses
from .bodies import dipoles, frames, gain, nuclear, oblique, pick, scalar, source, turned, with_term
from .task import Planted, Variant
from .truths import width

POLAR = 1.5  # D; an error of 0.1 D in a longer dipole changes its direction by under 4 degrees


def sectors(
    molecules: Molecules | None = None,
    count: int = 10_000,
    seed: int = 0,
    target: str = "homo",
    field: float = 1.0,
    k: int = 4,
    least: float = 3.0,
) -> Planted:
    """Dipoles in the xy plane at one of k equally spaced azimuths: half-width pi / k about z.

    The level depends on the sector of the dipole's azimuth. The rotation of a molecule about its
    dipole is random. The group is the rotations about z, because no true angle is known about x
    and y. Dipoles are longer than `least` (D): a network must know their direction to reach the
    true half-width. Raises InputError for fewer than two sectors.
    """
    if k < 2:
        raise InputError(f"sectors: expected at least two, got {k}.")
    posed, drawn = source(molecules), np.random.PCG64(seed)
    posed = posed.take(pick(posed, count, seed, lambda m: _polar(m, least)))
    place = (drawn.random_raw(count) % np.uint64(k)).astype(np.int64)
    azimuth = place * (2 * pi / k)
    mu, spin = dipoles(posed, posed.pos), poses(count, seed)[1].numpy()
    posed = turned(posed, _about_z(azimuth) @ frames(mu, spin))
    p = scalar(posed, target)

    def sector(pos) -> Int64[np.ndarray, " n"]:
        mu = dipoles(posed, pos)
        return np.rint(np.arctan2(mu[:, 1], mu[:, 0]) * k / (2 * pi)).astype(np.int64) % k

    formula = _by_level(p, field, _levels(k), sector, place)
    return Planted(
        "sectors",
        with_term(posed, target, formula, "plus a level for the sector of the dipole's azimuth"),
        formula,
        (Variant(About(), "UniformBox", (width("angle", pi / k),)),),
    )


def discrete(
    molecules: Molecules | None = None,
    count: int = 10_000,
    seed: int = 0,
    target: str = "homo",
    field: float = 1.0,
    a: float = pi / 4,
    k: int = 2,
    axis: tuple[float, float, float] = (0.0, 0.0, 1.0),
    parallel: float = 0.9,
    least: float = POLAR,
) -> Planted:
    """Molecules in a body frame, turned by one of k multiples of 2 a about an axis: radius a.

    In the body frame the dipole is along x and v = sum_i Z_i (r_i - centroid) is in the xy plane.
    Molecules are left out if these are nearly parallel (|cosine| above `parallel`), or if the
    dipole is not longer than `least` (D). The geodesic balls of radius a (rad) around neighbouring
    poses touch, so the true radius of a HaarBall is a. Raises InputError if two poses are closer
    than 2 a, because the multiples of 2 a go beyond a full turn.
    """
    if not (k >= 2 and 0 < a <= pi / k + 1e-9):
        raise InputError(
            f"discrete: expected k of at least 2 and a above 0 and at most pi / k, so that poses "
            f"are at least 2 a apart, got a = {a:.3g} rad with k = {k}."
        )
    posed, drawn = source(molecules), np.random.PCG64(seed)

    def keep(m: Molecules):
        mu = dipoles(m, m.pos)
        return _polar(m, least) & oblique(mu, nuclear(m, m.pos), parallel)

    posed = posed.take(pick(posed, count, seed, keep))
    place = (drawn.random_raw(count) % np.uint64(k)).astype(np.int64)
    n = torch.tensor(axis, dtype=torch.float64)
    steps = 2 * a * torch.arange(k, dtype=torch.float64)[:, None] * (n / n.norm())
    known = SO3().double().exp(steps).numpy()
    own = frames(dipoles(posed, posed.pos), nuclear(posed, posed.pos))
    posed = turned(posed, known[place] @ own)
    p = scalar(posed, target)

    def nearest(pos) -> Int64[np.ndarray, " n"]:
        pose = frames(dipoles(posed, pos), nuclear(posed, pos)).transpose(0, 2, 1)
        return np.einsum("nij,kij->nk", pose, known).argmax(1)  # the largest trace

    formula = _by_level(p, field, _levels(k), nearest, place)
    return Planted(
        "discrete",
        with_term(posed, target, formula, "plus a level for the nearest of the stored poses"),
        formula,
        (Variant(SO3(), "HaarBall", (width("radius", a),)),),
    )


def _polar(m: Molecules, least: float):
    return np.linalg.norm(dipoles(m, m.pos), axis=1) > least


def _levels(k: int) -> Float64[np.ndarray, " k"]:
    """+1 and -1 in turn; for odd k the last level, a neighbour of the first, is 0."""
    levels = (-1.0) ** np.arange(k)
    if k % 2:
        levels[-1] = 0.0
    return levels


def _by_level(p: np.ndarray, field: float, levels: np.ndarray, pose, place: np.ndarray):
    """The property plus the level of the pose; at field = 1 both have the same variance."""
    strength = gain(p, levels[place], field)

    def formula(pos):
        return p + strength * levels[pose(pos)][:, None]

    return formula


def _about_z(azimuth: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, "n 3 3"]:
    return About().double().exp(torch.from_numpy(azimuth)[:, None]).numpy()
