"""Which validation molecules choose the epoch; the others calibrate, and have chosen nothing."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int64

ENOUGH = 30  # validation molecules; a third of fewer cannot calibrate


def choosing(
    valid: Int64[np.ndarray, " m"], train: int, valid_size: int | None = None
) -> tuple[Int64[np.ndarray, " a"], Int64[np.ndarray, " b"]]:
    """The validation part in two: molecules to choose on, then those held back to calibrate.

    `valid_size` choose, or by default 1,000 or a tenth of `train`, the number of training
    molecules. At least a third of 30 or more is held back; of fewer, what is left.
    """
    size = valid_size or max(1000, train // 10)
    if len(valid) >= ENOUGH:
        size = min(size, 2 * len(valid) // 3)
    return valid[:size], valid[size:]
