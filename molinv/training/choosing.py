"""Divide the validation molecules: some choose the best epoch, the others calibrate intervals.

Intervals must be calibrated on molecules that had no influence on the choice of the model.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Int64

ENOUGH = 30  # with fewer validation molecules, a third of them is too few to calibrate


def choosing(
    valid: Int64[np.ndarray, " m"], train: int, valid_size: int | None = None
) -> tuple[Int64[np.ndarray, " a"], Int64[np.ndarray, " b"]]:
    """Molecules that choose the best epoch, and molecules that calibrate intervals.

    The first `valid_size` of `valid` choose the epoch. The default is a tenth of the number of
    training molecules `train`, and at least 1,000. Of 30 or more validation molecules, at least a
    third calibrates.
    """
    size = valid_size or max(1000, train // 10)
    if len(valid) >= ENOUGH:
        size = min(size, 2 * len(valid) // 3)
    return valid[:size], valid[size:]
