"""Digits whose label is how they are turned, moved or coloured, so that the true extents are known.

The true half-width w is not the range of rotations in the data. It is the largest rotation of the
input after which the label can still be recognised: the distance to the label's boundary, minus
the range of rotations within one label.

| task | label | true half-width |
|---|---|---|
| "turns", k | which of k equally spaced rotations | angle: 180 / k degrees (the range is 0) |
| "angle" | (cos, sin) of an arbitrary rotation | angle: 0, every rotation changes the label |
| "hue" | (cos, sin) of an arbitrary hue | hue: 0 |
| "any-hue" | the digit; its hue is arbitrary | hue: 180 degrees, the label is free of the hue |
| "position" | the displacement (x, y) in half-sides | tx, ty: 0 |
| "scale", "shear" | the coefficient of the scaling or shear | scale, or shear: 0 |

A rotation by exactly 180 / k reaches the neighbouring label, so a learned extent ends near that
angle and not beyond it. Only the digits 2, 3, 4, 5 and 7 are used: 0, 1 and 8 look the same upside
down, and 6 looks like 9. Handwriting itself slants by about 10 degrees, which is a range of
rotations within one label; `straight` shears every digit upright first.

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
_FAR = 0.25  # largest displacement (half-sides) or log-scale: digits stay inside the picture
_STREAM = 3  # random stream, distinct from those of `moved`


def load(
    root: Path | None, seed: int, task: str = "turns", k: int = 2, straight: bool = False
) -> dict[str, Pictures]:
    """Train, valid and test of a task with digits of `mnist` (which explains `root`).

    task      see the table above
    k         number of rotations of the task "turns", 1 to 36
    straight  shear every digit upright first

    Raises InputError for an unknown task and for a k out of range.
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
    """Shear each digit along x so that its ink does not lean: cov(x, y) = 0.

    The shear follows the regression line of x on y, the usual "deskewing" of handwriting.
    """
    ink = digits.images[:, 0].double()
    ink = ink / ink.sum((1, 2), keepdim=True).clamp_min(1)
    p = places(*ink.shape[1:])
    mean = torch.einsum("nhw,hwi->ni", ink, p)
    spread = torch.einsum("nhw,hwi,hwj->nij", ink, p, p) - mean[:, :, None] * mean[:, None]
    g = torch.eye(3, dtype=torch.float64).repeat(len(ink), 1, 1)
    g[:, 0, 1] = -spread[:, 0, 1] / spread[:, 1, 1].clamp_min(1e-6)
    g[:, 0, 2] = -g[:, 0, 1] * mean[:, 1]  # keeps the centre of the ink fixed
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
    """Turn each digit by one of k rotations; all rotations are equally frequent."""
    which = uniform(len(digits), 1, key)[:, 0].argsort().argsort() % k
    g = SO2().exp(which[:, None].double() * (2 * pi / k))
    names = tuple(f"{360 * i / k:g} degrees" for i in range(k))
    return replace(turned_by(digits, g), y=which, classes=names)


def _moved(digits: Pictures, names: tuple[str, ...], key: tuple[int, int, int]) -> Pictures:
    """Move each digit along some generators of Affine2; the coefficients are its label."""
    group, y = Affine2(), _FAR * uniform(len(digits), len(names), key)
    xi = torch.zeros(len(digits), group.k, dtype=torch.float64)
    xi[:, [group.names.index(name) for name in names]] = y
    images = moved(Image(), group, group.exp(xi), digits.images)
    return replace(digits, images=images, y=y.float(), classes=names)
