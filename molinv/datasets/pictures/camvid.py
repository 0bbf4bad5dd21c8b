"""CamVid street scenes: Brostow, Fauqueur, Cipolla, Pattern Recognition Letters 30, 88 (2009)."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from ...errors import InputError
from .files import as_bytes, as_labels, need_root, open_picture
from .store import Pictures, check_labels

CLASSES = ("sky", "building", "pole", "road", "pavement", "tree")
CLASSES += ("sign", "fence", "car", "pedestrian", "bicyclist")
VOID = 11
_FOLDERS = {"train": "train", "valid": "val", "test": "test"}
_ENDINGS = (".png", ".jpg", ".jpeg")


def load(root: Path | None, seed: int, size: tuple[int, int] | None = None) -> dict[str, Pictures]:
    """Eleven classes and void, from the folders of SegNet's copy: train, trainannot, val, ...

    A label map is a PNG with one byte per pixel and the name of its picture. `size` (h, w) resizes
    pictures, and maps by the nearest neighbour. test and testannot may be missing. The folders
    define the split; `seed` is not used. Raises InputError for missing or unmatched files.
    """
    where = need_root(root, "camvid", "folders train, trainannot, val and valannot")
    if size is not None and (len(size) != 2 or min(size) < 1):
        raise InputError(f"camvid: expected a size (height, width) above 0, got {size}.")
    parts = {}
    for part, folder in _FOLDERS.items():
        if part != "test" or (where / folder).is_dir():
            parts[part] = _part(where / folder, where / f"{folder}annot", size)
    return parts


def _part(folder: Path, annotations: Path, size: tuple[int, int] | None) -> Pictures:
    names = []
    for place in (folder, annotations):
        files = place.iterdir() if place.is_dir() else ()
        found = {p.stem: p for p in sorted(files) if p.suffix.lower() in _ENDINGS}
        if not found:
            raise InputError(f"no data in {place}: expected pictures (png or jpg) there.")
        names.append(found)
    pictures, maps = names
    if alone := sorted(pictures.keys() ^ maps.keys()):
        path = pictures.get(alone[0]) or maps[alone[0]]
        other = annotations if alone[0] in pictures else folder
        raise InputError(
            f"{path}: expected a file {alone[0]} in {other} too; there are {len(pictures)} "
            f"pictures and {len(maps)} label maps."
        )
    pairs = [_pair(pictures[name], maps[name], size) for name in sorted(pictures)]
    for name, (image, _) in zip(sorted(pictures), pairs, strict=True):
        if image.shape != pairs[0][0].shape:
            raise InputError(
                f"{pictures[name]}: expected the first picture's size "
                f"{tuple(pairs[0][0].shape[1:])}, got {tuple(image.shape[1:])}; give size=."
            )
    images, labels = (torch.stack(column) for column in zip(*pairs, strict=True))
    return Pictures(images, labels, CLASSES, VOID, str(folder))


def _pair(picture: Path, labels: Path, size: tuple[int, int] | None) -> tuple[Tensor, Tensor]:
    seen, truth = open_picture(picture), open_picture(labels, labels=True)
    if seen.size != truth.size:
        raise InputError(
            f"{labels}: expected the size of its picture, {seen.size[::-1]}, got "
            f"{truth.size[::-1]} (height, width)."
        )
    found = as_labels(truth, size)
    check_labels(found, len(CLASSES), VOID, str(labels))
    return as_bytes(seen, size), found
