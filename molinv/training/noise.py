"""The random numbers of an epoch, a row for each molecule and copy."""

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
    """Noise for every copy of every molecule, the same wherever and in whatever batch it is used.

    Row i of copy c depends on (key, c, i) and on the number of molecules of the data set. It is
    drawn on the CPU for the whole data set, which costs an epoch of QM9 some milliseconds:
    a batch indexes it by its molecules, so that neither the device nor the number of devices
    nor the order of the batches changes anyone's group elements. The second of two copies is
    the inverse of the first where the distribution allows it (`Distribution.mirrored`).
    """
    rows: list[Tensor] = []
    for copy in range(copies):
        pair = distribution.mirrored(rows[-1]) if copy % 2 else None
        drawn = distribution.noise(molecules, _generator([*key, copy])) if pair is None else pair
        rows.append(drawn)
    return torch.stack(rows)


def _generator(key: Sequence[int]) -> torch.Generator:
    """A generator of its own for every key of numbers from 0."""
    word = np.random.SeedSequence([*key, _STREAM]).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(word >> np.uint64(1)))


_STREAM = 0x6E6F697365  # "noise": keeps these keys apart from those that order the batches
