"""Train, valid and test: which molecule is in which, the same on every machine."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64

from ..errors import InputError

FEWEST = 10  # molecules
LARGE = 125_000  # from here on QM9's customary 110,000 / 10,000 / rest


@dataclass(frozen=True, eq=False)
class Split:
    """Three disjoint int64 arrays of indices into a `Molecules`.

    `origin` is the hash of the split that this one follows from, where its indices are those of
    other geometries of the same molecules.
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
    """A seeded order of 0..n-1, identical for every NumPy version.

    NumPy promises the stream of its bit generators but not what `Generator.permutation`
    makes of it (NEP 19), hence a sort of the raw 64-bit numbers.
    """
    return np.argsort(np.random.PCG64(seed).random_raw(n), kind="stable").astype(np.int64)


def split(n: int, seed: int = 0, train_size: int | None = None) -> Split:
    """Divide n molecules at random: 110,000 / 10,000 / rest, or 80 / 10 / 10 % below 125,000.

    `train_size` keeps only the first so many of the training part; valid and test stay.
    Raises InputError if a part would be empty or `train_size` is not in the part.
    """
    return split_groups(np.arange(n), seed, train_size)


def split_groups(
    groups: Int64[np.ndarray, " n"], seed: int = 0, train_size: int | None = None
) -> Split:
    """`split` with no group in two parts; the same split where every group has one member.

    Groups of more than a tenth of all are trained on; the parts end where a group ends, as near
    to the sizes of `split` as that allows. Raises InputError for fewer than 10 groups.
    """
    n, (first, sizes) = len(groups), np.unique(groups, return_counts=True)
    if len(sizes) < FEWEST:
        raise InputError(
            f"expected at least {FEWEST} molecules to split into three parts, got {len(sizes)}."
        )
    train, valid = (110_000, 10_000) if n >= LARGE else (n - 2 * (n // 10), n // 10)
    order = permutation(n, seed)
    mixed = np.searchsorted(first, groups[order])  # of each place in the order, which group
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
    """Whether each row is of some groups drawn by the seed, together at most `count` rows.

    Where no group is as small, the rows of the smallest one are.
    """
    names, of, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    chosen, left = np.zeros(len(names), bool), count
    for group in permutation(len(names), seed):
        if sizes[group] <= left:
            chosen[group], left = True, left - sizes[group]
    if not chosen.any() and count:
        chosen[sizes.argmin()] = True
    return chosen[of]
