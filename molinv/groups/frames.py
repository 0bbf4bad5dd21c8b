"""Frames in which a point group fits noisy rotations."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from math import pi
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from .merging import distance
from .point_group import PointGroup
from .so3 import SO3

TRIED = 64  # most frames that are tried for a group
STEPS = 4  # of Gauss and Newton; two are enough for noise of 0.1 rad


class Fit(NamedTuple):
    """A frame, the number of elements that match a rotation, and their rms distance (rad)."""

    frame: Float[Tensor, "3 3"]
    matched: int
    off: float


def frames(
    symbol: str, g: Float[Tensor, "n 3 3"], tolerance: float
) -> Iterator[Float[Tensor, "3 3"]]:
    """Frames in which two generators of the group are two of the rotations, best pairs first."""
    if symbol == "C1":
        yield torch.eye(3).double()
        return
    angles, axes = turns(g)
    pair, local = _generators(symbol)
    found = []
    for angle in pair.tolist():
        own = axes[(angles - angle).abs() <= tolerance]
        found.append(torch.cat([own, -own]) if angle > pi - 1e-3 else own)  # no sign
    if len(pair) == 1:
        yield from (triad(a, across(a)) @ triad(local[0], across(local[0])).mT for a in found[0])
        return
    a, b = found
    between = torch.acos((local[0] @ local[1]).clamp(-1, 1))
    miss = (torch.acos((a @ b.mT).clamp(-1, 1)) - between).abs()
    for k in miss.flatten().argsort()[:TRIED].tolist():
        i, j = divmod(k, len(b))
        if miss[i, j] <= 2 * tolerance:
            yield triad(a[i], b[j]) @ triad(local[0], local[1]).mT


@cache
def point_group(symbol: str) -> Float[Tensor, "m 3 3"]:
    """The elements of a point group, in float64."""
    return PointGroup(symbol).double().elements


@cache
def _generators(symbol: str) -> tuple[Float[Tensor, " r"], Float[Tensor, "r 3"]]:
    """Angles (rad) and axes of one or two elements that generate the group."""
    angles, axes = turns(point_group(symbol))
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


def fit(
    elements: Float[Tensor, "m 3 3"],
    frame: Float[Tensor, "3 3"],
    g: Float[Tensor, "n 3 3"],
    tolerance: float,
) -> Fit:
    """The frame near `frame` in which the elements are nearest to the rotations g.

    An element and a rotation match if each is the other's nearest one, within `tolerance` (rad).
    """
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
            slope = (e.mT - torch.eye(3).to(g)).flatten(0, 1)
            turn = torch.linalg.pinv(slope, rtol=1e-6) @ SO3().log(e.mT @ to).flatten()
            frame = SO3().exp(turn) @ frame
    matched = int(mutual.sum())
    off = float(distance(e, to).square().mean().sqrt()) if matched else 0.0
    return Fit(frame, matched, off)


def turns(g: Float[Tensor, "n 3 3"]) -> tuple[Float[Tensor, " n"], Float[Tensor, "n 3"]]:
    """Angles in [0, pi] (rad) and axes; the axis of the identity is arbitrary."""
    xi = SO3().log(g)
    angles = xi.norm(dim=-1)
    return angles, torch.where(
        angles[:, None] > 1e-9, xi / angles[:, None].clamp_min(1e-9), torch.eye(3).to(g)[2]
    )


def triad(a: Float[Tensor, " 3"], b: Float[Tensor, " 3"]) -> Float[Tensor, "3 3"]:
    """The rotation whose first column is a, and whose second is in the half plane of a and b."""
    second = b - (a @ b) * a
    second = second / second.norm()
    return torch.stack([a, second, torch.linalg.cross(a, second)], 1)


def across(a: Float[Tensor, " 3"]) -> Float[Tensor, " 3"]:
    """A vector that is not parallel to a."""
    return torch.eye(3).to(a)[int(a.abs().argmin())]
