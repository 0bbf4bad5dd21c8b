"""CIFAR-10 in its binary form: Krizhevsky, "Learning multiple layers of features" (2009)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from ...errors import InputError
from .files import first_of, need_root, read_bytes
from .store import Pictures, check_labels

CLASSES = ("airplane", "automobile", "bird", "cat", "deer")
CLASSES += ("dog", "frog", "horse", "ship", "truck")
_RECORD = 1 + 3 * 32 * 32  # the label, then red, green and blue planes


def load(root: Path | None, seed: int) -> dict[str, Pictures]:
    """45,000 / 5,000 / 10,000 pictures, 32 x 32, RGB.

    The folder, or a folder cifar-10-batches-bin in it, holds data_batch_1.bin to data_batch_5.bin
    and test_batch.bin. Raises InputError for a missing or damaged file.
    """
    where = need_root(root, "cifar10", "data_batch_1.bin and its companions")
    if (inner := where / "cifar-10-batches-bin").is_dir():
        where = inner
    batches = [_batch(where, f"data_batch_{i}.bin") for i in range(1, 6)]
    images, labels = (torch.cat(column) for column in zip(*batches, strict=True))
    train = Pictures(images, labels, CLASSES, source=str(where))
    test = Pictures(*_batch(where, "test_batch.bin"), CLASSES, source=str(where))
    return train.split(seed, train=0.9, valid=0.1) | {"test": test}


def _batch(root: Path, name: str) -> tuple[torch.Tensor, torch.Tensor]:
    path = first_of(root, [name])
    data = np.frombuffer(read_bytes(path), np.uint8)
    if len(data) == 0 or len(data) % _RECORD:
        raise InputError(
            f"{path}: expected records of {_RECORD:,} bytes, got {len(data):,} bytes, which is "
            "not a multiple of that; the file is truncated or damaged."
        )
    rows = torch.from_numpy(data.reshape(-1, _RECORD).copy())
    labels = rows[:, 0].long()
    check_labels(labels, len(CLASSES), None, str(path))
    return rows[:, 1:].reshape(-1, 3, 32, 32), labels
