"""Turn and recolour every picture once, with the same actions as in training.

The rotation and the colour of a picture depend only on the seed and its index. They are the same
on every machine, in every epoch and for any number of pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, Float64, UInt8
from torch import Tensor

from ...actions import Colour, Image, Segmentation
from ...actions.base import Action
from ...errors import InputError, unknown
from ...groups import SO2, ColourJitter
from ...groups.base import Group
from .store import Pictures

JITTER = ColourJitter()
TINT = (1.0, 0.3, 0.3)  # the red for grey pictures; turned to any hue it stays within [0, 1]
_CHUNK = 512
# random streams; they come first in a key, because SeedSequence ignores zeros at its end
_TURNS, _COLOURS = 1, 2


def uniform(n: int, k: int, key: Sequence[int]) -> Float64[Tensor, "n k"]:
    """Numbers uniform on [-1, 1); row i depends only on the key and i, not on n.

    They are made from raw 64-bit numbers, whose stream NumPy guarantees (NEP 19).
    """
    raw = np.random.PCG64(np.random.SeedSequence(list(key))).random_raw(n * k)
    return torch.from_numpy((raw >> np.uint64(11)) * 2.0**-52 - 1).reshape(n, k)


def turned(pictures: Pictures, within: float, key: Sequence[int] = (0,)) -> Pictures:
    """Turn every picture about its centre, by an angle uniform on [-within, within] (rad).

    Pixels from outside are black, and void in label maps. Label maps are not interpolated. Raises
    InputError for label maps without a void label.
    """
    angles = within * uniform(len(pictures), 1, (_TURNS, *key))
    return turned_by(pictures, SO2().exp(angles))


def turned_by(pictures: Pictures, g: Float[Tensor, "n 2 2"]) -> Pictures:
    """Turn every picture by its own rotation; raises InputError as `turned` does."""
    group = SO2()
    images, y = moved(Image(), group, g, pictures.images), pictures.y
    if pictures.kind == "maps":
        if pictures.void is None:
            raise InputError(
                f"{pictures.source}: turning label maps needs a label for pixels from outside; "
                "give Pictures a void label."
            )
        y = Segmentation(pictures.void).act(group, g, y)
    return replace(pictures, images=images, y=y)


def coloured(pictures: Pictures, within: dict[str, float], key: Sequence[int] = (0,)) -> Pictures:
    """Change every picture's colours once, by a ColourJitter with these half-widths.

    `within` may name hue (rad), saturation, brightness and contrast, in the group's units. Grey
    pictures are tinted red first. Values are clipped to bytes. Raises InputError for an unknown
    name.
    """
    for name in within:
        if name not in JITTER.names:
            raise unknown("colour", name, JITTER.names)
    widths = torch.tensor([within.get(name, 0.0) for name in JITTER.names], dtype=torch.float64)
    xi = widths * uniform(len(pictures), JITTER.k, (_COLOURS, *key))
    return coloured_by(pictures, JITTER, JITTER.exp(xi))


def coloured_by(pictures: Pictures, group: Group, g: Float[Tensor, "n d d"]) -> Pictures:
    """Change every picture's colours by its own group element; grey pictures are tinted first."""
    images = moved(Colour(), group, g, tinted(pictures.images))
    return replace(pictures, images=images)


def tinted(images: UInt8[Tensor, "n c h w"]) -> UInt8[Tensor, "n 3 h w"]:
    """Grey pictures in shades of red; RGB pictures are returned unchanged."""
    if images.shape[1] == 3:
        return images
    return (images * torch.tensor(TINT)[:, None, None]).round().to(torch.uint8)


def moved(
    action: Action, group: Group, g: Float[Tensor, "n d d"], images: UInt8[Tensor, "n c h w"]
) -> UInt8[Tensor, "n c h w"]:
    """Apply an action to pictures stored as bytes, in chunks, and round to bytes again."""
    rows = []
    for part, h in zip(images.split(_CHUNK), g.split(_CHUNK), strict=True):
        rows.append((action.act(group, h, part.float() / 255) * 255).round().clamp(0, 255).byte())
    return torch.cat(rows)
