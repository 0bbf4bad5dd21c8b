"""Which of two photographs is shown, and which way up: the paper's task with Mario and Iggy.

The photographs come with scikit-learn, which mlxtend requires: china.jpg, a pavilion (by Daniel
Buechele), and flower.jpg, a dahlia (by vultilion). Their licence is CC BY 2.0, as the README.txt
beside them says. molinv reads them there and ships no copy. Each picture is turned by an angle
within 45 degrees of 0 ("up") or of 180 ("down"), uniformly. The four classes are the two
photographs, up and down.

The true half-width is 45 degrees. If the network's input is turned by up to w more, pictures that
are "up" are within 45 + w degrees of upright, and pictures that are "down" within 45 + w of 180.
The two ranges meet at 45 + w = 180 - (45 + w), which is w = 45; for a smaller w the label can
always be recognised. At w = 45 + e degrees the ranges overlap by 2 e on either side. A rotation by
w falls into the overlap with probability 2 e / 90 and then costs one nat on average. With the
reward's weight lam the learned half-width therefore exceeds 45 degrees by about 45 lam: 4.5 degrees
for lam = 0.1.

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

# left, top and side of a square in which up and down differ: a tower, and a dahlia above another
SQUARES = {"china.jpg": (0, 0, 427), "flower.jpg": (160, 127, 300)}
CLASSES = ("pavilion, up", "pavilion, down", "dahlia, up", "dahlia, down")
WITHIN = pi / 4  # largest angle (rad) from 0 or 180 degrees
_STREAM = 5  # random stream, distinct from those of the other data sets
_PARTS = {"train": 2000, "valid": 400, "test": 400}


def load(root: Path | None, seed: int, size: int = 32) -> dict[str, Pictures]:
    """2,000 / 400 / 400 pictures, size x size, RGB, a quarter of each class; `root` is not used.

    Raises InputError for a size below 8, and if scikit-learn is not installed.
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
    """A photograph's square, black outside the inscribed circle, so that rotations cut nothing."""
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
