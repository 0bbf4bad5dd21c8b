"""Reading bytes and pictures, with errors that name the file."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from ...errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image as Picture


def need_root(root: Path | None, name: str, expected: str) -> Path:
    """The folder; raises InputError where none was given or it is not there."""
    if root is None:
        raise InputError(f"{name}: expected a root folder with {expected}; give root=.")
    if not root.is_dir():
        raise InputError(f"{name}: {root} is no folder; expected one with {expected}.")
    return root


def first_of(root: Path, names: list[str]) -> Path:
    """The first of these files that is there; raises InputError if none is."""
    for name in names:
        if (root / name).is_file():
            return root / name
    raise InputError(f"no data in {root}: expected a file {' or '.join(names)}.")


def read_bytes(path: Path) -> bytes:
    """All of a file, unpacked if its name ends in .gz."""
    try:
        return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"cannot read {path}: {error}; it may be damaged or cut short.") from error


def open_picture(path: Path, labels: bool = False) -> Picture:
    """A picture file, decoded; a label map has to have one byte a pixel."""
    Image = picture_module()
    try:
        with Image.open(path) as picture:
            picture.load()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"cannot decode the picture {path}: {error}.") from error
    if labels and picture.mode not in ("L", "P"):
        raise InputError(
            f"{path}: expected a label map of one byte a pixel, got a picture of mode "
            f"{picture.mode}."
        )
    return picture


def as_bytes(picture: Picture, size: tuple[int, int] | None = None) -> UInt8[Tensor, "3 h w"]:
    """Red, green and blue, at `size` (h, w) if given: each pixel the mean of what it covers."""
    picture = picture.convert("RGB")
    if size is not None:
        picture = picture.resize((size[1], size[0]), picture_module().Resampling.BOX)
    return torch.from_numpy(np.array(picture, dtype=np.uint8)).permute(2, 0, 1)


def as_labels(picture: Picture, size: tuple[int, int] | None = None) -> UInt8[Tensor, "h w"]:
    """A label map's bytes, at `size` (h, w) if given: each pixel its nearest neighbour."""
    if size is not None:
        picture = picture.resize((size[1], size[0]), picture_module().Resampling.NEAREST)
    return torch.from_numpy(np.array(picture, dtype=np.uint8))


def picture_module():
    """Pillow's Image; raises InputError where Pillow is not there."""
    try:
        from PIL import Image
    except ImportError as error:
        raise InputError("picture files need Pillow: pip install 'molinv[pictures]'.") from error
    return Image
