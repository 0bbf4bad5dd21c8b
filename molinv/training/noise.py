"""The random numbers of an epoch, one row for each molecule and copy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ..distributions import Distribution


def keyed_noise(
    distribution: Distribution, copies: int, molecules: int, key: Sequence[int]
) -> Float[Tensor, "c n m"]:
    """Noise for every copy of every molecule, independent of devices and batches.

    Row i of copy c depends on (key, c, i) and on the number of molecules in the data set. The noise
    of the whole data set is drawn on the CPU, which takes some milliseconds per epoch for QM9. A
    batch then indexes it by its molecules. The group elements of a molecule therefore do not
    depend on the device, the number of devices or the order of the batches. Every second copy is
    the inverse of the copy before it, if the distribution allows it (`Distribution.mirrored`).
    """
    rows: list[Tensor] = []
    for copy in range(copies):
        pair = distribution.mirrored(rows[-1]) if copy % 2 else None
        drawn = distribution.noise(molecules, _generator([*key, copy])) if pair is None else pair
        rows.append(drawn)
    return torch.stack(rows)


def _generator(key: Sequence[int]) -> torch.Generator:
    """A separate generator for every key of non-negative integers."""
    word = np.random.SeedSequence([*key, _STREAM]).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(word >> np.uint64(1)))


_STREAM = 0x6E6F697365  # "noise": makes these keys differ from those that order the batches
