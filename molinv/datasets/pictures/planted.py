"""Digits whose label is how they are turned or coloured, so that the right extents are known.

The truth is not the range of the data but what the label leaves free: a network may turn its
input by w if the label can still be told, which is as far as the label's boundary, less the
range of the turns within one label.

| task | label | true half-width |
|---|---|---|
| "turns", k | which of k equally spaced turns | angle: 180 / k degrees (the range is 0) |
| "angle" | (cos, sin) of the turn, which is any | angle: 0, every turn changes the label |
| "hue" | (cos, sin) of the hue, which is any | hue: 0 |
| "any-hue" | the digit; the hue is any | hue: 180 degrees, all hues look alike already |
| "position" | how far it is moved, (x, y) in half-sides | tx, ty: 0 |
| "scale", "shear" | the coefficient by which it is | scale, or shear: 0 |

Turns by exactly 180 / k meet the neighbouring label, so a learned extent ends near it, not
beyond. Only the digits 2, 3, 4, 5 and 7: none of them looks the same upside down, as 0, 1, 6 with
9, and 8 do. Handwriting slants by some 10 degrees itself, which is a range of turns within one
label: with `straight`, every digit is sheared upright first.

Source: Benton et al., NeurIPS 2020 (arXiv 2010.11882), section 5.
"""

from __future__ import annotations

from dataclasses import replace
from math import pi
from pathlib import Path

import torch

from ...actions import Image
from ...actions.warping import places
from ...errors import InputError, unknown
from ...groups import SO2, Affine2, Hue
from . import mnist
from .moved import coloured_by, moved, turned_by, uniform
from .store import Pictures

DIGITS = (2, 3, 4, 5, 7)
MOVED = {"position": ("tx", "ty"), "scale": ("scale",), "shear": ("shear",)}  # in Affine2
TASKS = ("turns", "angle", "hue", "any-hue", *MOVED)
_FAR = 0.25  # half-sides, or log-scale, to either side: digits stay inside the picture
_STREAM = 3  # of random numbers, beside those of `moved`


def load(
    root: Path | None, seed: int, task: str = "turns", k: int = 2, straight: bool = False
) -> dict[str, Pictures]:
    """Train, valid and test of a task on mnist's digits (see there for `root`).

    Raises InputError for an unknown task, and for fewer than one turn.
    """
    if task not in TASKS:
        raise unknown("planted task", task, TASKS)
    if not 1 <= k <= 36:
        raise InputError(f"planted: expected k from 1 to 36 turns, got {k}.")
    made = {}
    for i, (part, digits) in enumerate(mnist.load(root, seed).items()):
        digits = digits.take(torch.isin(digits.y, torch.tensor(DIGITS)).nonzero()[:, 0])
        digits = straightened(digits) if straight else digits
        made[part] = _plant(digits, task, k, (_STREAM, seed, i))
    return made


def straightened(digits: Pictures) -> Pictures:
    """Each digit sheared along x until its ink leans to neither side: cov(x, y) = 0.

    That shear is the regression line of x on y, the usual "deskewing" of handwriting.
    """
    ink = digits.images[:, 0].double()
    ink = ink / ink.sum((1, 2), keepdim=True).clamp_min(1)
    p = places(*ink.shape[1:])
    mean = torch.einsum("nhw,hwi->ni", ink, p)
    spread = torch.einsum("nhw,hwi,hwj->nij", ink, p, p) - mean[:, :, None] * mean[:, None]
    g = torch.eye(3, dtype=torch.float64).repeat(len(ink), 1, 1)
    g[:, 0, 1] = -spread[:, 0, 1] / spread[:, 1, 1].clamp_min(1e-6)
    g[:, 0, 2] = -g[:, 0, 1] * mean[:, 1]  # what lies at the middle of the ink stays
    return replace(digits, images=moved(Image(), Affine2(), g, digits.images))


def _plant(digits: Pictures, task: str, k: int, key: tuple[int, int, int]) -> Pictures:
    if task == "turns":
        return _turns(digits, k, key)
    if task in MOVED:
        return _moved(digits, MOVED[task], key)
    xi = pi * uniform(len(digits), 1, key)
    if task == "angle":
        g = SO2().exp(xi)
        return replace(turned_by(digits, g), y=g[:, :, 0].float(), classes=("cos", "sin"))
    painted = coloured_by(digits, Hue(), Hue().exp(xi))
    if task == "any-hue":
        return painted
    # the first column of a plane rotation is the cosine and the sine of its angle
    return replace(painted, y=SO2().exp(xi)[:, :, 0].float(), classes=("cos", "sin"))


def _turns(digits: Pictures, k: int, key: tuple[int, int, int]) -> Pictures:
    """Each digit at one of k turns, each turn as often as the others."""
    which = uniform(len(digits), 1, key)[:, 0].argsort().argsort() % k
    g = SO2().exp(which[:, None].double() * (2 * pi / k))
    names = tuple(f"{360 * i / k:g} degrees" for i in range(k))
    return replace(turned_by(digits, g), y=which, classes=names)


def _moved(digits: Pictures, names: tuple[str, ...], key: tuple[int, int, int]) -> Pictures:
    """Each digit moved along some of Affine2's generators, by the numbers that are its label."""
    group, y = Affine2(), _FAR * uniform(len(digits), len(names), key)
    xi = torch.zeros(len(digits), group.k, dtype=torch.float64)
    xi[:, [group.names.index(name) for name in names]] = y
    images = moved(Image(), group, group.exp(xi), digits.images)
    return replace(digits, images=images, y=y.float(), classes=names)
