"""The storage of every data set of pictures: bytes and labels."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Int64, Shaped, UInt8
from torch import Tensor

from ...errors import InputError
from ..split import permutation


@dataclass(frozen=True, eq=False, repr=False)
class Pictures:
    """n pictures of one size, in memory.

    images   bytes; c is 1 (grey) or 3 (red, green, blue)
    y        int64 labels (n,), uint8 label maps (n, h, w) or float32 numbers (n, t)
    classes  the names of the classes, or of the numbers
    void     the label of pixels in maps that do not count; it is not a class
    source   where the pictures come from, for error messages

    Raises InputError if shapes or counts disagree, or if a label is not a class.
    """

    images: UInt8[Tensor, "n c h w"]
    y: Shaped[Tensor, "n ..."]
    classes: tuple[str, ...]
    void: int | None = None
    source: str = "pictures"

    def __post_init__(self):
        shape = tuple(self.images.shape)
        if len(shape) != 4 or shape[1] not in (1, 3) or self.images.dtype != torch.uint8:
            raise InputError(
                f"{self.source}: expected bytes (n, 1 or 3, h, w), got {shape} of "
                f"{self.images.dtype}."
            )
        if shape[0] == 0 or len(self.y) != shape[0]:
            raise InputError(
                f"{self.source}: expected as many labels as pictures and at least one, got "
                f"{shape[0]:,} pictures and {len(self.y):,} labels."
            )
        expected = {"labels": (), "maps": shape[2:], "numbers": (len(self.classes),)}[self.kind]
        if tuple(self.y.shape[1:]) != expected:
            raise InputError(
                f"{self.source}: expected {self.kind} {(shape[0], *expected)}, got "
                f"{tuple(self.y.shape)}: pictures and labels differ in size."
            )
        if self.kind == "numbers":
            if not self.y.isfinite().all():
                raise InputError(f"{self.source}: expected finite numbers, got NaN or infinity.")
        else:
            check_labels(self.y, len(self.classes), self.void, self.source)

    @property
    def kind(self) -> str:
        """ "labels", "maps" or "numbers"."""
        if self.y.is_floating_point():
            return "numbers"
        return "labels" if self.y.dtype == torch.int64 else "maps"

    def take(self, indices: Int64[np.ndarray, " m"] | Tensor) -> Pictures:
        """The pictures `indices`, in that order."""
        index = torch.as_tensor(indices)
        return replace(self, images=self.images[index], y=self.y[index])

    def split(self, seed: int, **shares: float) -> dict[str, Pictures]:
        """Split by a seeded permutation into named fractions, e.g. split(0, train=0.9, valid=0.1).

        Raises InputError if a part would be empty.
        """
        order, parts, start, total = permutation(len(self), seed), {}, 0, 0.0
        for name, share in shares.items():
            total += share
            end = round(len(self) * total)
            if end <= start:
                raise InputError(f"{self.source}: {len(self)} pictures are too few to split.")
            parts[name], start = self.take(order[start:end]), end
        return parts

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        n, c, h, w = self.images.shape
        return f"Pictures({n:,} of {c} x {h} x {w}, {self.kind}: {', '.join(self.classes)})"


def check_labels(labels: Tensor, classes: int, void: int | None, source: str) -> None:
    """Raise InputError if a label is neither a class nor void; names the source and the label."""
    allowed = (labels >= 0) & (labels < classes)
    if void is not None:
        allowed |= labels == void
    if not allowed.all():
        first = int((~allowed).flatten().to(torch.uint8).argmax())
        aside = "" if void is None else f" or {void} (void)"
        raise InputError(
            f"{source}: expected labels from 0 to {classes - 1}{aside}, got "
            f"{int(labels.flatten()[first])}."
        )
