"""IDX, the file format of MNIST: a header with the shape, followed by bytes.

Source: Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits" (1998).
"""

from __future__ import annotations

from math import prod
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from ...errors import InputError
from .files import first_of, need_root, read_bytes
from .store import Pictures, check_labels

_BYTES = 0x08


def read_idx(path: Path, axes: int) -> UInt8[Tensor, " ..."]:
    """Read an IDX file of bytes with `axes` axes, plain or .gz; raises InputError if damaged."""
    data = read_bytes(path)
    start = 4 + 4 * axes
    if len(data) < start or data[:4] != bytes([0, 0, _BYTES, axes]):
        raise InputError(
            f"{path}: expected an IDX file of bytes with {axes} axes, got one that begins with "
            f"{data[:4].hex() or 'nothing'} and has {len(data):,} bytes."
        )
    shape = [int.from_bytes(data[i : i + 4], "big") for i in range(4, start, 4)]
    if len(data) - start != prod(shape):
        raise InputError(
            f"{path}: expected {prod(shape):,} bytes of data for shape {tuple(shape)}, got "
            f"{len(data) - start:,}; the file is truncated or damaged."
        )
    return torch.from_numpy(np.frombuffer(data, np.uint8, offset=start).copy()).reshape(shape)


def load_idx(
    root: Path | None, seed: int, name: str, classes: tuple[str, ...]
) -> dict[str, Pictures]:
    """Train, valid and test from the four files in `root`.

    A twelfth of the files' training part is the validation part. `name` is used in error messages.
    Raises InputError for a missing or damaged file.
    """
    where = need_root(root, name, "train-images-idx3-ubyte and its three companions")
    train = _part(where, "train", classes).split(seed, train=11 / 12, valid=1 / 12)
    return train | {"test": _part(where, "t10k", classes)}


def _part(root: Path, prefix: str, classes: tuple[str, ...]) -> Pictures:
    paths = {
        what: first_of(
            root,
            [
                f"{prefix}-{what}{dot}idx{axes}-ubyte{packed}"
                for dot in "-."
                for packed in ("", ".gz")
            ],
        )
        for what, axes in (("images", 3), ("labels", 1))
    }
    images, labels = read_idx(paths["images"], 3), read_idx(paths["labels"], 1).long()
    check_labels(labels, len(classes), None, str(paths["labels"]))
    if len(images) != len(labels):
        raise InputError(
            f"{paths['labels']}: expected {len(images):,} labels, as many as pictures in "
            f"{paths['images'].name}, got {len(labels):,}."
        )
    return Pictures(images[:, None], labels, classes, source=str(paths["images"]))
