"""Split molecules into train, valid and test, the same on every machine."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64

from ..errors import InputError

FEWEST = 10  # molecules, at least, to split into three parts
LARGE = 125_000  # from this size on, the customary split of QM9: 110,000 / 10,000 / rest


@dataclass(frozen=True, eq=False)
class Split:
    """Three disjoint int64 arrays of indices into a `Molecules`.

    If the indices are of other geometries of the same molecules, `origin` is the hash of the
    original split.
    """

    train: Int64[np.ndarray, " a"]
    valid: Int64[np.ndarray, " b"]
    test: Int64[np.ndarray, " c"]
    origin: str | None = None

    @property
    def hash(self) -> str:
        """Twelve hex digits of the SHA-256 of the three arrays, to print with a result."""
        if self.origin is not None:
            return self.origin
        digest = hashlib.sha256()
        for part in (self.train, self.valid, self.test):
            digest.update(f"{len(part)}:".encode() + part.astype("<i8").tobytes())
        return digest.hexdigest()[:12]


def permutation(n: int, seed: int) -> Int64[np.ndarray, " n"]:
    """A seeded permutation of 0..n-1, identical for every NumPy version.

    It sorts raw 64-bit numbers, because NumPy guarantees the stream of its bit generators but not
    the results of `Generator.permutation` (NEP 19).
    """
    return np.argsort(np.random.PCG64(seed).random_raw(n), kind="stable").astype(np.int64)


def split(n: int, seed: int = 0, train_size: int | None = None) -> Split:
    """Split n molecules at random: 110,000 / 10,000 / rest, or 80 / 10 / 10 % below 125,000.

    `train_size` keeps the first `train_size` training molecules; valid and test do not change.
    Raises InputError for fewer than 10 molecules, and for a `train_size` out of range.
    """
    return split_groups(np.arange(n), seed, train_size)


def split_groups(
    groups: Int64[np.ndarray, " n"], seed: int = 0, train_size: int | None = None
) -> Split:
    """`split` with all rows of a group in one part; equal to `split` if every group has one row.

    Groups with more than a tenth of all rows are trained on. The sizes of the parts are as close
    to those of `split` as whole groups allow. Raises InputError for fewer than 10 groups, and for
    a `train_size` out of range.
    """
    n, (first, sizes) = len(groups), np.unique(groups, return_counts=True)
    if len(sizes) < FEWEST:
        raise InputError(
            f"expected at least {FEWEST} molecules to split into three parts, got {len(sizes)}."
        )
    train, valid = (110_000, 10_000) if n >= LARGE else (n - 2 * (n // 10), n // 10)
    order = permutation(n, seed)
    mixed = np.searchsorted(first, groups[order])  # the group at each place in the order
    met = np.unique(mixed, return_index=True)[1]
    order = order[np.lexsort((np.arange(n), met[mixed], sizes[mixed] <= n // 10))]
    ends = np.cumsum(sizes[np.lexsort((met, sizes <= n // 10))])
    a = int(np.abs(ends[:-2] - train).argmin())
    b = a + 1 + int(np.abs(ends[a + 1 : -1] - train - valid).argmin())
    train, end = int(ends[a]), int(ends[b])
    size = train if train_size is None else train_size
    if not 1 <= size <= train:
        raise InputError(f"expected a train_size from 1 to {train:,}, got {size:,}.")
    return Split(order[:size], order[train:end], order[end:])


def some_groups(
    groups: Int64[np.ndarray, " n"], count: int, seed: int = 0
) -> Bool[np.ndarray, " n"]:
    """A mask of the rows of randomly drawn groups that have at most `count` rows together.

    If every group is larger than `count`, this is the smallest group.
    """
    names, of, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    chosen, left = np.zeros(len(names), bool), count
    for group in permutation(len(names), seed):
        if sizes[group] <= left:
            chosen[group], left = True, left - sizes[group]
    if not chosen.any() and count:
        chosen[sizes.argmin()] = True
    return chosen[of]
