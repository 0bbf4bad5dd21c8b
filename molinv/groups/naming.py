"""The name of the group of rotations that noisy rotations belong to."""

from __future__ import annotations

from math import cos, pi
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import InputError
from .frames import across, fit, frames, point_group, triad, turns
from .merging import distance, merge
from .so3 import SO3
from .spirals import super_fibonacci

CIRCLE, CIRCLE_AND_FLIPS, ALL = "Cinf", "Dinf", "SO3"
LARGEST = 12  # the largest n of Cn and Dn that is told from a circle
ENOUGH = 0.7  # smallest overlap of a group with the rotations
OPEN = 2 * pi / 10  # rad, largest gap between rotations that fill a circle
FAR = 0.65  # rad, largest distance to rotations that fill SO(3); 0.78 rad for those of I


class Named(NamedTuple):
    """A group of rotations, and how well it fits.

    symbol   Cn, Dn, T, O or I; Cinf (all rotations about an axis), Dinf (these, and half turns
             about the axes at right angles to it) or SO3; None if no group fits
    frame    (3, 3), float64: the elements are frame @ g @ frame.mT with g in PointGroup(symbol),
             so that the main axis is frame[:, 2]
    overlap  Jaccard index of elements and rotations: the number of matched pairs, divided by the
             number of elements and rotations with a pair counted once. 1 if they are the same
    off      root mean square angle (rad) between elements and the rotations that match them
    """

    symbol: str | None
    frame: Float[Tensor, "3 3"]
    overlap: float
    off: float

    @property
    def axis(self) -> Float[Tensor, " 3"] | None:
        """The main axis of a cyclic or dihedral group, without a sign; None for other groups."""
        symbol = self.symbol or "C1"
        return self.frame[:, 2] if symbol[0] in "CD" and symbol != "C1" else None

    @property
    def elements(self) -> Float[Tensor, "m 3 3"] | None:
        """The elements of a finite group; None for other groups."""
        if self.symbol in (None, CIRCLE, CIRCLE_AND_FLIPS, ALL):
            return None
        return self.frame @ point_group(self.symbol) @ self.frame.mT

    def __str__(self) -> str:
        if self.axis is None:
            return self.symbol or "no group"
        axis = self.axis * self.axis[self.axis.abs().argmax()].sign()  # an axis has no direction
        shown = [f"{round(x, 2) + 0.0:.2f}" for x in axis.tolist()]  # + 0.0: no negative zero
        return f"{self.symbol} about ({', '.join(shown)})"


def name_rotations(rotations: Float[Tensor, "n 3 3"], tolerance: float = 0.2) -> Named:
    """Name the group of rotations whose elements overlap most with the given rotations.

    The rotations may be noisy, repeated or incomplete, and in any frame. Those within `tolerance`
    (rad) of each other count as one, and an element matches a rotation within `tolerance`. The
    identity is added. The groups are Cn and Dn up to n = 12, T, O and I, in frames from pairs of
    the rotations, refined by least squares; and Cinf, Dinf and SO3 if the rotations leave no gap.
    The symbol is None if no group has an overlap of at least 0.7.

    Raises InputError unless the rotations are (n, 3, 3), orthogonal to within 1e-3, with
    determinant 1, and for a tolerance outside (0, 0.25]. Elements of C12 are 0.52 rad apart.
    """
    if rotations.ndim != 3 or rotations.shape[1:] != (3, 3):
        raise InputError(
            f"name_rotations: expected rotations (n, 3, 3), got {tuple(rotations.shape)}."
        )
    if not 0 < tolerance <= 0.25:
        raise InputError(f"name_rotations: expected 0 < tolerance <= 0.25 rad, got {tolerance}.")
    g, one = rotations.detach().double().cpu(), torch.eye(3).double()
    miss = (g @ g.mT - one).abs().amax((-1, -2))
    if not ((miss < 1e-3) & (torch.linalg.det(g) > 0)).all():  # NaN is not a rotation
        raise InputError("name_rotations: expected rotations, got a matrix that is not one.")
    every = torch.cat([one[None], SO3().normalize(g)])
    g, _ = merge(every, tolerance)
    found = _everywhere(every) or _about_an_axis(g, every, tolerance)
    if found is not None:
        return found
    best = Named(None, one, 0.0, 0.0)
    for symbol in _candidates(len(g)):
        for frame in frames(symbol, g, tolerance):
            elements = point_group(symbol)
            frame, matched, off = fit(elements, frame, g, tolerance)
            overlap = matched / (len(elements) + len(g) - matched)
            found = Named(symbol, frame, overlap, off)
            if found.overlap == 1:
                return found  # no other group has the same elements
            if (found.overlap, -found.off) > (best.overlap + 1e-9, -best.off):
                best = found
    return best if best.overlap >= ENOUGH else best._replace(symbol=None)


def _everywhere(g: Float[Tensor, "n 3 3"]) -> Named | None:
    """SO3, if nearly every rotation is close to one of the rotations."""
    nearest = distance(super_fibonacci(500)[:, None], g).amin(1)
    if float(nearest.quantile(0.98)) > FAR:
        return None
    return Named(ALL, torch.eye(3).double(), 1.0, 0.0)


def _about_an_axis(
    g: Float[Tensor, "n 3 3"], every: Float[Tensor, "m 3 3"], tolerance: float
) -> Named | None:
    """Cinf or Dinf, if most of the rotations g keep or reverse one axis and leave no gap.

    `every` has the rotations before close ones were merged into g.
    """
    _, axes = turns(g)
    cosines = torch.einsum("ai,gij,aj->ag", axes, g, axes)
    axis = axes[int((cosines.abs() > cos(tolerance)).sum(1).argmax())]
    for _ in range(2):  # the axis n for which g n is nearest to n or -n
        cosine = _cosine(g, axis)
        near = cosine.abs() > cos(tolerance)
        away = (g - cosine.sign()[:, None, None] * torch.eye(3).double())[near]
        axis = torch.linalg.eigh((away.mT @ away).sum(0)).eigenvectors[:, 0]
    frame = triad(axis, across(axis))[:, [1, 2, 0]]
    cosine = _cosine(g, axis)
    kept, flipped = cosine > cos(tolerance), cosine < -cos(tolerance)
    local, cosines = frame.mT @ every @ frame, _cosine(every, axis)
    # the angle of a turn about the axis, and twice that of the axis of a half turn
    angles = torch.atan2(local[:, 1, 0], local[:, 0, 0])
    full = [
        int(own.sum()) > LARGEST and _widest_gap(angles[near]) <= OPEN
        for own, near in (
            (kept, cosines > cos(tolerance)),
            (flipped, cosines < -cos(tolerance)),
        )
    ]
    overlap = float((kept | flipped if full[1] else kept).double().mean())
    if not full[0] or overlap < ENOUGH:
        return None
    off = float(cosine[kept | flipped].abs().clamp(max=1).acos().square().mean().sqrt())
    return Named(CIRCLE_AND_FLIPS if full[1] else CIRCLE, frame, overlap, off)


def _cosine(g: Float[Tensor, "n 3 3"], axis: Float[Tensor, " 3"]) -> Float[Tensor, " n"]:
    """The cosine of the angle between an axis and its image."""
    return torch.einsum("i,gij,j->g", axis, g, axis)


def _widest_gap(angles: Float[Tensor, " n"]) -> float:
    """The widest gap (rad) between neighbours on the circle."""
    ordered = angles.sort().values
    return float((torch.cat([ordered[1:], ordered[:1] + 2 * pi]) - ordered).max())


def _candidates(n: int) -> list[str]:
    """The groups that can overlap enough with n rotations, those of nearest order first."""
    orders = {"C1": 1, "T": 12, "O": 24, "I": 60}
    for i in range(2, LARGEST + 1):
        orders |= {f"C{i}": i, f"D{i}": 2 * i}
    found = [symbol for symbol, m in orders.items() if min(m, n) >= ENOUGH * max(m, n)]
    return sorted(found, key=lambda symbol: abs(orders[symbol] - n))
