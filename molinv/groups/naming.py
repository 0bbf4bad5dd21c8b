"""The name of the group of rotations that noisy rotations belong to."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from math import cos, pi
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import InputError
from .merging import distance, merge
from .point_group import PointGroup
from .so3 import SO3
from .spirals import super_fibonacci

CIRCLE, CIRCLE_AND_FLIPS, ALL = "Cinf", "Dinf", "SO3"
LARGEST = 12  # the largest n of Cn and Dn that is told from a circle
ENOUGH = 0.6  # smallest overlap of a group with the rotations
TRIED = 64  # most frames that are tried for a group
OPEN = 2 * pi / 10  # rad, largest gap between rotations that fill a circle
FAR = 0.65  # rad, largest distance to rotations that fill SO(3); 0.78 rad for those of I
STEPS = 4  # of Gauss and Newton; two are enough for noise of 0.1 rad


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
        return self.frame @ _elements(self.symbol) @ self.frame.mT

    def __str__(self) -> str:
        if self.axis is None:
            return self.symbol or "no group"
        return f"{self.symbol} about ({', '.join(f'{x:.2f}' for x in self.axis.tolist())})"


def name_rotations(rotations: Float[Tensor, "n 3 3"], tolerance: float = 0.2) -> Named:
    """Name the group of rotations whose elements overlap most with the given rotations.

    The rotations may be noisy, repeated or incomplete, and in any frame. Those within `tolerance`
    (rad) of each other count as one, and an element matches a rotation within `tolerance`. The
    identity is added. The groups are Cn and Dn up to n = 12, T, O and I, in frames from pairs of
    the rotations, refined by least squares; and Cinf, Dinf and SO3 if the rotations leave no gap.
    The symbol is None if no group has an overlap of at least 0.6.

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
        for frame in _frames(symbol, g, tolerance):
            found = _fit(symbol, frame, g, tolerance)
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
    _, axes = _turns(g)
    cosines = torch.einsum("ai,gij,aj->ag", axes, g, axes)
    axis = axes[int((cosines.abs() > cos(tolerance)).sum(1).argmax())]
    for _ in range(2):  # the axis n for which g n is nearest to n or -n
        cosine = _cosine(g, axis)
        near = cosine.abs() > cos(tolerance)
        away = (g - cosine.sign()[:, None, None] * torch.eye(3).double())[near]
        axis = torch.linalg.eigh((away.mT @ away).sum(0)).eigenvectors[:, 0]
    frame = _triad(axis, _across(axis))[:, [1, 2, 0]]
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


def _frames(
    symbol: str, g: Float[Tensor, "n 3 3"], tolerance: float
) -> Iterator[Float[Tensor, "3 3"]]:
    """Frames in which two generators of the group are two of the rotations, best pairs first."""
    if symbol == "C1":
        yield torch.eye(3).double()
        return
    angles, axes = _turns(g)
    pair, local = _generators(symbol)
    found = []
    for angle in pair.tolist():
        own = axes[(angles - angle).abs() <= tolerance]
        found.append(torch.cat([own, -own]) if angle > pi - 1e-3 else own)  # no sign
    if len(pair) == 1:
        yield from (
            _triad(a, _across(a)) @ _triad(local[0], _across(local[0])).mT for a in found[0]
        )
        return
    a, b = found
    between = torch.acos((local[0] @ local[1]).clamp(-1, 1))
    miss = (torch.acos((a @ b.mT).clamp(-1, 1)) - between).abs()
    for k in miss.flatten().argsort()[:TRIED].tolist():
        i, j = divmod(k, len(b))
        if miss[i, j] <= 2 * tolerance:
            yield _triad(a[i], b[j]) @ _triad(local[0], local[1]).mT


@cache
def _elements(symbol: str) -> Float[Tensor, "m 3 3"]:
    return PointGroup(symbol).double().elements


@cache
def _generators(symbol: str) -> tuple[Float[Tensor, " r"], Float[Tensor, "r 3"]]:
    """Angles (rad) and axes of one or two elements that generate the group."""
    angles, axes = _turns(_elements(symbol))
    # the order of the main axis, and of another axis
    n, m = {"T": (3, 2), "O": (4, 3), "I": (5, 3)}.get(symbol) or (int(symbol[1:]), 2)
    main = (angles - 2 * pi / n).abs() < 1e-6
    if symbol[0] == "D":
        main &= axes[:, 2].abs() > 0.99  # D2 has half turns about x and y too
    first = int(main.nonzero()[0])
    if symbol[0] == "C":
        return angles[[first]], axes[[first]]
    other = ((angles - 2 * pi / m).abs() < 1e-6) & ((axes @ axes[first]).abs() < 0.99)
    pair = [first, int(other.nonzero()[0])]
    return angles[pair], axes[pair]


def _fit(
    symbol: str, frame: Float[Tensor, "3 3"], g: Float[Tensor, "n 3 3"], tolerance: float
) -> Named:
    """The group in the frame near `frame` that is nearest to the rotations."""
    elements = _elements(symbol)
    for step in range(STEPS + 1):
        there = frame @ elements @ frame.mT
        apart = distance(there[:, None], g)
        least, which = apart.min(1)
        back = apart.min(0).indices[which] == torch.arange(len(there))
        # the first frame has the noise of only two rotations
        mutual = back & (least <= (tolerance if step else 2 * tolerance))
        e, to = there[mutual], g[which[mutual]]
        if step < STEPS:
            # a turn d of the frame moves e to exp(d) e exp(-d) = e exp((e^T - 1) d), to first order
            slope = (e.mT - torch.eye(3).double()).flatten(0, 1)
            turn = torch.linalg.pinv(slope, rtol=1e-6) @ SO3().log(e.mT @ to).flatten()
            frame = SO3().exp(turn) @ frame
    matched = int(mutual.sum())
    off = float(distance(e, to).square().mean().sqrt()) if matched else 0.0
    return Named(symbol, frame, matched / (len(elements) + len(g) - matched), off)


def _turns(g: Float[Tensor, "n 3 3"]) -> tuple[Float[Tensor, " n"], Float[Tensor, "n 3"]]:
    """Angles in [0, pi] (rad) and axes; the axis of the identity is arbitrary."""
    xi = SO3().log(g)
    angles = xi.norm(dim=-1)
    return angles, torch.where(
        angles[:, None] > 1e-9, xi / angles[:, None].clamp_min(1e-9), torch.eye(3).to(g)[2]
    )


def _triad(a: Float[Tensor, " 3"], b: Float[Tensor, " 3"]) -> Float[Tensor, "3 3"]:
    """The rotation whose first column is a, and whose second is in the half plane of a and b."""
    second = b - (a @ b) * a
    second = second / second.norm()
    return torch.stack([a, second, torch.linalg.cross(a, second)], 1)


def _across(a: Float[Tensor, " 3"]) -> Float[Tensor, " 3"]:
    """A vector that is not parallel to a."""
    return torch.eye(3).to(a)[int(a.abs().argmin())]
