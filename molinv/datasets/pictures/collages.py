"""Digits placed at random on a dark canvas, with label maps: a small segmentation task."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch.nn.functional import interpolate

from ...errors import InputError
from . import mnist
from .digits import DIGITS
from .moved import uniform
from .store import Pictures

VOID = 255
_STREAM = 4  # random stream, distinct from those of `moved` and `planted`
_INK = 96  # brightness, of 255, from which a pixel belongs to the digit
_PARTS = {"train": 1600, "valid": 100, "test": 100}


def load(
    root: Path | None,
    seed: int,
    digits: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
    size: tuple[int, int] = (112, 112),
    each: int = 2,
    scale: int = 2,
) -> dict[str, Pictures]:
    """1,600 / 100 / 100 canvases with digits of `mnist` (which explains `root`); see `collages`.

    `digits` chooses the digits that are placed; only these are classes. Raises InputError as
    `collages` does, and for numbers that are not digits.
    """
    chosen = sorted(set(digits))
    if not chosen or not set(chosen) <= set(range(10)):
        raise InputError(f"collages: expected digits from 0 to 9, at least one, got {digits}.")
    made = {}
    for i, (part, every) in enumerate(mnist.load(root, seed).items()):
        some = every.take(torch.isin(every.y, torch.tensor(chosen)).nonzero()[:, 0])
        y = torch.searchsorted(torch.tensor(chosen), some.y)
        some = replace(some, y=y, classes=tuple(DIGITS[d] for d in chosen))
        made[part] = collages(some, _PARTS[part], size, each, 3 * seed + i, scale)
    return made


def collages(
    digits: Pictures,
    n: int,
    size: tuple[int, int] = (80, 80),
    each: int = 3,
    seed: int = 0,
    scale: int = 1,
) -> Pictures:
    """n grey canvases of size (h, w) with `each` digits, and label maps.

    Class 0 is the background, and a digit's class is 1 + its label. Where strokes cross, the later
    digit is on top. Every digit is inside the largest circle around the centre of the canvas, so
    that a rotation about the centre loses none. `scale` enlarges the digits. Rotating a map by an
    arbitrary angle changes, by rounding, the label of every eighth pixel of a stroke that is two
    pixels wide, and of fewer pixels of wider strokes. Raises InputError if a digit does not fit the
    circle, and for pictures that are not grey or not labelled.
    """
    if scale > 1:
        grown = interpolate(digits.images.float(), scale_factor=scale, mode="bilinear")
        digits = replace(digits, images=grown.round().byte())
    h, w = size
    tall, wide = digits.images.shape[2:]
    reach = (min(h, w) - (tall**2 + wide**2) ** 0.5) / 2
    if digits.kind != "labels" or digits.images.shape[1] != 1 or reach < 0:
        raise InputError(
            f"collages: expected grey, labelled digits that fit a circle of {min(h, w)} pixels, "
            f"got {digits!r}."
        )
    images = torch.zeros(n, 1, h, w, dtype=torch.uint8)
    maps = torch.zeros(n, h, w, dtype=torch.uint8)
    draws = uniform(n * each, 3, (_STREAM, seed)).reshape(n, each, 3)
    for i in range(n):
        for a, b, chosen in draws[i].tolist():
            if a * a + b * b > 1:  # move into the disc
                a, b = 0.7 * a, 0.7 * b
            index = int((chosen + 1) / 2 * len(digits))
            top, left = round((h - tall) / 2 + reach * a), round((w - wide) / 2 + reach * b)
            where = slice(top, top + tall), slice(left, left + wide)
            ink, label = digits.images[index, 0], 1 + int(digits.y[index])
            images[i, 0][where] = torch.maximum(images[i, 0][where], ink)
            maps[i][where] = torch.where(ink >= _INK, label, maps[i][where])
    return Pictures(images, maps, ("background", *digits.classes), VOID, "collages")
