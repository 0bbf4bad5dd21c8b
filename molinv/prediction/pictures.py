"""Predict picture files: classes, numbers, or masks with overlays."""

from __future__ import annotations

from collections.abc import Sequence
from math import degrees
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from ..datasets.pictures.batches import PictureBatch
from ..datasets.pictures.files import as_bytes, open_picture, picture_module
from ..errors import InputError
from ..sharing import choose_device
from ..tasks.circle import Circle
from ..tasks.classes import Classes
from ..tasks.maps import Maps
from ..training.saved import Saved, load_pictures, write_json
from .picture_errors import outputs

UNSEEN = 255  # value in a mask of a pixel that no copy saw
_MIX = 0.5  # fraction of the mask's colour in an overlay


class PicturePredictor:
    """Predict picture files with the model of a run folder.

    Outputs are averaged over `copies` elements of the learned distribution. A picture is resampled
    to the size of the training pictures, each pixel the mean of the area that it covers; masks are
    resized to the picture's own size. Raises InputError for a folder without a model of pictures,
    and for a model that needs untrusted code.
    """

    def __init__(
        self, model: str | Path, copies: int = 8, trust: bool = False, device: str = "auto"
    ):
        if copies < 1:
            raise InputError(f"copies: expected at least 1, got {copies}.")
        self.saved: Saved = load_pictures(model, trust)
        self.saved.network.to(choose_device(device))
        self.copies = copies

    def predict(self, path: str | Path) -> dict[str, Any]:
        """Predict one file; returns a dictionary with "name" and keys that depend on the task.

        classes: "class" and "probability"; maps: "mask", bytes (h, w); circle: "degrees"; numbers:
        each target's name. Raises InputError for a file that is not a picture.
        """
        task, size = self.saved.task, tuple(self.saved.card["size"])
        picture = open_picture(Path(path))
        x = as_bytes(picture, size)[None].float() / 255  # pyright: ignore[reportArgumentType]
        if self.saved.card["channels"] == 1:
            x = x.mean(1, keepdim=True)
        nothing = torch.zeros(1, dtype=torch.long)
        found = outputs(self.saved, PictureBatch(x, nothing, nothing), self.copies)
        row: dict[str, Any] = {"name": str(path)}
        if isinstance(task, Maps):
            mask = found.mean[0].argmax(0)
            if found.weight is not None:
                mask = torch.where(found.weight[0, 0] > 0, mask, UNSEEN)
            return row | {"mask": _resized(mask, (picture.height, picture.width))}
        if isinstance(task, Classes):
            share = found.mean[0].exp()  # the mean is the logarithm of averaged probabilities
            best = int(share.argmax())
            return row | {"class": task.classes[best], "probability": float(share[best])}
        values = task.values(found.mean)[0].tolist()
        if isinstance(task, Circle):
            return row | {"degrees": degrees(np.arctan2(values[1], values[0]))}
        return row | dict(zip((t.name for t in task.predicted), values, strict=True))

    def write(self, path: str | Path, mask: np.ndarray, folder: str | Path) -> tuple[Path, Path]:
        """Write NAME_mask.png (class indices as bytes) and NAME_overlay.png; returns both paths."""
        Image = picture_module()
        place = Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        shades = colours(self.saved.task.outputs)
        flat = Image.fromarray(mask)
        flat.putpalette(shades.flatten().tolist())  # the bytes stay the classes
        seen = np.array(open_picture(Path(path)).convert("RGB"))
        mixed = np.where((mask == UNSEEN)[..., None], seen, _MIX * shades[mask] + (1 - _MIX) * seen)
        made = tuple(place / f"{Path(path).stem}_{what}.png" for what in ("mask", "overlay"))
        flat.save(made[0])
        Image.fromarray(mixed.round().astype(np.uint8)).save(made[1])
        return made[0], made[1]


def colours(classes: int) -> np.ndarray:
    """A palette (256, 3) of bytes: one hue per class with alternating brightness, then black."""
    from matplotlib.colors import hsv_to_rgb

    hue = np.arange(classes) * 0.618034 % 1  # the golden ratio: neighbours differ
    value = np.where(np.arange(classes) % 2, 0.7, 1.0)
    shades = np.zeros((256, 3))
    shades[:classes] = 255 * hsv_to_rgb(np.stack([hue, np.full(classes, 0.75), value], -1))
    return shades.round().astype(np.uint8)


def predict_files(predictor: PicturePredictor, files: Sequence[str], output: str | None) -> int:
    """Run `molinv predict RUN PICTURE... -o FOLDER`; returns the exit code of the command.

    Raises InputError for masks without an output folder.
    """
    from rich import print as show
    from rich.table import Table

    maps = isinstance(predictor.saved.task, Maps)
    if maps and output is None:
        raise InputError("predict: masks and overlays need a folder; give -o FOLDER.")
    rows, bad = [], 0
    for path in files:
        try:
            row = predictor.predict(path)
        except InputError as error:
            bad += 1
            _complain(str(error))
            continue
        if maps and output is not None:
            mask = row.pop("mask")
            row["mask"], row["overlay"] = map(str, predictor.write(path, mask, output))
        rows.append(row)
    if rows:
        made = Table(*rows[0])
        for row in rows:
            made.add_row(*(f"{v:.4g}" if isinstance(v, float) else str(v) for v in row.values()))
        show(made)
        if not maps and output is not None:
            Path(output).mkdir(parents=True, exist_ok=True)
            write_json(Path(output) / "predictions.json", rows)
    return 0 if not bad else 1 if rows or bad > 1 else 2


def _complain(text: str) -> None:
    import sys

    print(f"molinv: {text}", file=sys.stderr)


def _resized(mask: Int64[Tensor, "h w"], size: tuple[int, int]) -> np.ndarray:
    """A mask as bytes (h, w), resized with nearest-neighbour interpolation."""
    Image = picture_module()
    flat = Image.fromarray(mask.numpy().astype(np.uint8))
    return np.array(flat.resize((size[1], size[0]), Image.Resampling.NEAREST))
