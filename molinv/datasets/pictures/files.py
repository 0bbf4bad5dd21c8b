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
    """Return `root`; raises InputError if it was not given or is not a folder."""
    if root is None:
        raise InputError(f"{name}: expected a root folder with {expected}; give root=.")
    if not root.is_dir():
        raise InputError(f"{name}: {root} is not a folder; expected a folder with {expected}.")
    return root


def first_of(root: Path, names: list[str]) -> Path:
    """The first of these files that exists in `root`; raises InputError if none does."""
    for name in names:
        if (root / name).is_file():
            return root / name
    raise InputError(f"no data in {root}: expected a file {' or '.join(names)}.")


def read_bytes(path: Path) -> bytes:
    """The content of a file, decompressed if its name ends in .gz; raises InputError."""
    try:
        return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"cannot read {path}: {error}; it may be damaged or truncated.") from error


def open_picture(path: Path, labels: bool = False) -> Picture:
    """Decode a picture file. Raises InputError if it is damaged.

    With `labels` it is a label map; raises InputError if that does not have one byte per pixel.
    """
    Image = picture_module()
    try:
        with Image.open(path) as picture:
            picture.load()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"cannot decode the picture {path}: {error}.") from error
    if labels and picture.mode not in ("L", "P"):
        raise InputError(
            f"{path}: expected a label map with one byte per pixel, got a picture of mode "
            f"{picture.mode}."
        )
    return picture


def as_bytes(picture: Picture, size: tuple[int, int] | None = None) -> UInt8[Tensor, "3 h w"]:
    """Red, green and blue, resized to `size` (h, w) if given; a pixel is the mean of its area."""
    picture = picture.convert("RGB")
    if size is not None:
        picture = picture.resize((size[1], size[0]), picture_module().Resampling.BOX)
    return torch.from_numpy(np.array(picture, dtype=np.uint8)).permute(2, 0, 1)


def as_labels(picture: Picture, size: tuple[int, int] | None = None) -> UInt8[Tensor, "h w"]:
    """A label map's bytes, resized to `size` (h, w) if given, by the nearest neighbour."""
    if size is not None:
        picture = picture.resize((size[1], size[0]), picture_module().Resampling.NEAREST)
    return torch.from_numpy(np.array(picture, dtype=np.uint8))


def picture_module():
    """The module PIL.Image; raises InputError if Pillow is not installed."""
    try:
        from PIL import Image
    except ImportError as error:
        raise InputError("picture files need Pillow: pip install 'molinv[pictures]'.") from error
    return Image
