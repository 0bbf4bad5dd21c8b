"""Batches of pictures, gathered on the device where the network runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float32, Int64, Shaped
from torch import Tensor

from ...errors import InputError
from .store import Pictures


@dataclass(eq=False)
class PictureBatch:
    """b pictures x in [0, 1].

    y is int64 labels (b,), int64 label maps (b, h, w) or float32 numbers (b, t). `index` holds the
    indices of the pictures in their `Pictures`.
    """

    x: Float32[Tensor, "b c h w"]
    y: Shaped[Tensor, "b ..."]
    index: Int64[Tensor, " b"]
    z: ClassVar[None] = None  # pictures have no atoms

    def to(self, device: torch.device | str) -> PictureBatch:
        """The same batch on another device."""
        return PictureBatch(*(t.to(device) for t in (self.x, self.y, self.index)))

    def __len__(self) -> int:
        return len(self.index)


class PicturesOnDevice:
    """Pictures as bytes on `device`, for a `datasets` Loader; 60,000 of 28 x 28 take 47 MB."""

    def __init__(self, pictures: Pictures, device: torch.device | str):
        self.device = torch.device(device)
        self.sizes = np.ones(len(pictures), np.int64)  # equal sizes: the Loader need not sort
        self.indices = np.arange(len(pictures))
        self._images, self._y = pictures.images.to(device), pictures.y.to(device)

    def gather(self, indices: Int64[np.ndarray, " b"]) -> PictureBatch:
        """The pictures `indices` in that order.

        Raises InputError if `indices` is empty or out of range.
        """
        if len(indices) == 0 or indices.min() < 0 or indices.max() >= len(self.sizes):
            raise InputError(f"expected indices from 0 to {len(self.sizes) - 1}, at least one.")
        index = torch.tensor(indices).to(self.device, non_blocking=True)
        y = self._y[index]
        return PictureBatch(
            self._images[index].float() / 255, y if y.is_floating_point() else y.long(), index
        )
