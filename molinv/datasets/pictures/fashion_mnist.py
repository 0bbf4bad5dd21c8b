"""Clothes in MNIST's format: Xiao, Rasul, Vollgraf, "Fashion-MNIST" (arXiv 1708.07747)."""

from __future__ import annotations

from pathlib import Path

from .idx import load_idx
from .store import Pictures

CLOTHES = ("T-shirt", "trouser", "pullover", "dress", "coat")
CLOTHES += ("sandal", "shirt", "sneaker", "bag", "ankle boot")


def load(root: Path | None, seed: int) -> dict[str, Pictures]:
    """55,000 / 5,000 / 10,000 pictures, 28 x 28, grey, from the four IDX files in `root`.

    Raises InputError for a missing or damaged file.
    """
    return load_idx(root, seed, "fashion_mnist", CLOTHES)
