"""One fixed turn and one fixed colour for every picture, by the actions that networks see.

What a picture gets is keyed by (seed, its index) alone: the same on every machine, in every
epoch, and however many pictures there are.
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
TINT = (1.0, 0.3, 0.3)  # grey becomes this red; turned to any hue it stays within [0, 1]
_CHUNK = 512
_TURNS, _COLOURS = 1, 2  # streams of numbers: first in a key, where a 0 at its end is lost


def uniform(n: int, k: int, key: Sequence[int]) -> Float64[Tensor, "n k"]:
    """Numbers uniform on [-1, 1); row i depends on the key and i alone, not on n.

    Raw 64-bit numbers: NumPy promises their stream, but not what it makes of them (NEP 19).
    """
    raw = np.random.PCG64(np.random.SeedSequence(list(key))).random_raw(n * k)
    return torch.from_numpy((raw >> np.uint64(11)) * 2.0**-52 - 1).reshape(n, k)


def turned(pictures: Pictures, within: float, key: Sequence[int] = (0,)) -> Pictures:
    """Every picture turned once about its middle, by an angle uniform on [-within, within] (rad).

    Black comes in from outside; in label maps, which are not interpolated, void does. Raises
    InputError for maps without a void label.
    """
    angles = within * uniform(len(pictures), 1, (_TURNS, *key))
    return turned_by(pictures, SO2().exp(angles))


def turned_by(pictures: Pictures, g: Float[Tensor, "n 2 2"]) -> Pictures:
    """Every picture turned by its own rotation."""
    group = SO2()
    images, y = moved(Image(), group, g, pictures.images), pictures.y
    if pictures.kind == "maps":
        if pictures.void is None:
            raise InputError(
                f"{pictures.source}: to turn label maps, a label for pixels from outside is "
                "needed; give Pictures its void."
            )
        y = Segmentation(pictures.void).act(group, g, y)
    return replace(pictures, images=images, y=y)


def coloured(pictures: Pictures, within: dict[str, float], key: Sequence[int] = (0,)) -> Pictures:
    """Every picture's colours moved once, by a ColourJitter with these half-widths.

    `within` has any of hue (rad), saturation, brightness and contrast, as the group has them.
    Grey pictures are tinted red first. Values are clipped to bytes. Raises InputError for
    another name.
    """
    for name in within:
        if name not in JITTER.names:
            raise unknown("colour", name, JITTER.names)
    widths = torch.tensor([within.get(name, 0.0) for name in JITTER.names], dtype=torch.float64)
    xi = widths * uniform(len(pictures), JITTER.k, (_COLOURS, *key))
    return coloured_by(pictures, JITTER, JITTER.exp(xi))


def coloured_by(pictures: Pictures, group: Group, g: Float[Tensor, "n d d"]) -> Pictures:
    """Every picture's colours moved by its own element; grey pictures are tinted first."""
    images = moved(Colour(), group, g, tinted(pictures.images))
    return replace(pictures, images=images)


def tinted(images: UInt8[Tensor, "n c h w"]) -> UInt8[Tensor, "n 3 h w"]:
    """Grey pictures in shades of red; RGB ones as they are."""
    if images.shape[1] == 3:
        return images
    return (images * torch.tensor(TINT)[:, None, None]).round().to(torch.uint8)


def moved(
    action: Action, group: Group, g: Float[Tensor, "n d d"], images: UInt8[Tensor, "n c h w"]
) -> UInt8[Tensor, "n c h w"]:
    """Bytes moved by an action on pictures in [0, 1], a few hundred at a time, and rounded."""
    rows = []
    for part, h in zip(images.split(_CHUNK), g.split(_CHUNK), strict=True):
        rows.append((action.act(group, h, part.float() / 255) * 255).round().clamp(0, 255).byte())
    return torch.cat(rows)
