"""Which of two pictures it is, and which way up: the paper's task of Mario and Iggy.

Two photographs and drawings that ship with matplotlib, both in the public domain: a portrait of
Grace Hopper (United States Navy) and a blue present (Minduka, Open Clipart). Each is turned by an
angle uniform within +-45 degrees of 0, or of 180; the label, of four, is the picture and which of
the two.

The truth: a network may turn its input by w if the label can still be told. Pictures whose label
is "up" then lie within 45 + w degrees of upright, those that are "down" within 45 + w of 180. The
two ranges meet where 45 + w = 180 - (45 + w), at w = 45 degrees, and the label has no say on any
narrower one: the half-width is 45 degrees. Beyond it by e degrees the ranges overlap by 2 e on
either side, and a turn by w itself falls there with chance 2 e / 90 and costs a nat on average;
what is learned exceeds 45 by up to 45 lam degrees for a weight lam of the reward, 4.5 for 0.1.

Source: Benton et al., NeurIPS 2020 (arXiv 2010.11882), section 5.1.
"""

from __future__ import annotations

from importlib.util import find_spec
from math import pi
from pathlib import Path

import torch
from jaxtyping import UInt8
from torch import Tensor

from ...errors import InputError
from ...groups import SO2
from .files import as_bytes, open_picture, picture_module
from .moved import turned_by, uniform
from .store import Pictures

FILES = ("grace_hopper.jpg", "Minduka_Present_Blue_Pack.png")
CLASSES = ("portrait, up", "portrait, down", "present, up", "present, down")
WITHIN = pi / 4  # rad, of 0 and of 180 degrees
_STREAM = 5  # of random numbers, beside those of the other sets
_PARTS = {"train": 2000, "valid": 400, "test": 400}


def load(root: Path | None, seed: int, size: int = 32) -> dict[str, Pictures]:
    """2,000 / 400 / 400 pictures, size x size, RGB, a quarter of each class; `root` is not used.

    Raises InputError for a size below 8.
    """
    if size < 8:
        raise InputError(f"up_down: expected a size of at least 8 pixels, got {size}.")
    two = torch.stack([_read(name, size) for name in FILES])
    parts = {}
    for i, (part, n) in enumerate(_PARTS.items()):
        y = torch.arange(n) % len(CLASSES)
        angle = WITHIN * uniform(n, 1, (_STREAM, seed, i)) + pi * (y[:, None] % 2)
        still = Pictures(two[y // 2], y, CLASSES, source="matplotlib's sample pictures")
        parts[part] = turned_by(still, SO2().exp(angle))
    return parts


def _read(name: str, size: int) -> UInt8[Tensor, "3 s s"]:
    """The middle square of a picture, on black, within the circle that no turn cuts."""
    spec = find_spec("matplotlib")
    assert spec is not None
    assert spec.origin is not None
    path = Path(spec.origin).parent / "mpl-data" / "sample_data" / name
    picture = open_picture(path).convert("RGBA")
    picture = picture_module().alpha_composite(
        picture_module().new("RGBA", picture.size, (0, 0, 0, 255)), picture
    )
    w, h = picture.size
    left, top = (w - min(w, h)) // 2, (h - min(w, h)) // 4  # faces are in the upper half
    square = picture.crop((left, top, left + min(w, h), top + min(w, h)))
    found = as_bytes(square, (size, size))
    at = (2 * torch.arange(size) + 1) / size - 1
    return found * (at[:, None].square() + at.square() < 1)
