"""Which of two pictures it is, and which way up: the paper's task of Mario and Iggy.

Two photographs that come with scikit-learn, which mlxtend needs: china.jpg, a pavilion (by Daniel
Buechele), and flower.jpg, a dahlia (by vultilion), both under the licence CC BY 2.0 as the
README.txt beside them says; molinv reads them there and ships no copy. Each is turned by an angle
uniform within +-45 degrees of 0, or of 180; the label, of four, is the picture and which of the
two.

The truth: a network may turn its input by w if the label can still be told. Pictures whose label
is "up" then lie within 45 + w degrees of upright, those that are "down" within 45 + w of 180. The
two ranges meet where 45 + w = 180 - (45 + w), at w = 45 degrees, and the label has no say on any
narrower one: the half-width is 45 degrees. Beyond it by e degrees the ranges overlap by 2 e on
either side, and a turn by w itself falls there with chance 2 e / 90 and costs a nat on average;
what is learned exceeds 45 by some 45 lam degrees for a weight lam of the reward, 4.5 for 0.1.

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
from .files import as_bytes, open_picture
from .moved import turned_by, uniform
from .store import Pictures

# left, top and side of a square in which up and down differ: the tower, the dahlia above a second
SQUARES = {"china.jpg": (0, 0, 427), "flower.jpg": (160, 127, 300)}
CLASSES = ("pavilion, up", "pavilion, down", "dahlia, up", "dahlia, down")
WITHIN = pi / 4  # rad, of 0 and of 180 degrees
_STREAM = 5  # of random numbers, beside those of the other sets
_PARTS = {"train": 2000, "valid": 400, "test": 400}


def load(root: Path | None, seed: int, size: int = 32) -> dict[str, Pictures]:
    """2,000 / 400 / 400 pictures, size x size, RGB, a quarter of each class; `root` is not used.

    Raises InputError for a size below 8, and where scikit-learn is not there.
    """
    if size < 8:
        raise InputError(f"up_down: expected a size of at least 8 pixels, got {size}.")
    two = torch.stack([_read(name, size) for name in SQUARES])
    parts = {}
    for i, (part, n) in enumerate(_PARTS.items()):
        y = torch.arange(n) % len(CLASSES)
        angle = WITHIN * uniform(n, 1, (_STREAM, seed, i)) + pi * (y[:, None] % 2)
        still = Pictures(two[y // 2], y, CLASSES, source="scikit-learn's pictures")
        parts[part] = turned_by(still, SO2().exp(angle))
    return parts


def _read(name: str, size: int) -> UInt8[Tensor, "3 s s"]:
    """A picture's square, black outside the circle that no turn cuts."""
    spec = find_spec("sklearn")
    if spec is None or spec.origin is None:
        raise InputError(
            "up_down takes its pictures from scikit-learn: pip install 'molinv[pictures]'."
        )
    left, top, side = SQUARES[name]
    picture = open_picture(Path(spec.origin).parent / "datasets" / "images" / name)
    found = as_bytes(picture.crop((left, top, left + side, top + side)), (size, size))
    at = (2 * torch.arange(size) + 1) / size - 1
    return found * (at[:, None].square() + at.square() < 1)
