"""Lists of unequal length in one flat array: item i is flat[ptr[i] : ptr[i + 1]]."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import SupportsIndex, overload

import numpy as np
from jaxtyping import Float, Float64, Int64, UInt8


def pointers(lengths: Int64[np.ndarray, " n"]) -> Int64[np.ndarray, " n+1"]:
    """The start of every item and the end of the last, from the items' lengths."""
    ptr = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=ptr[1:])
    return ptr


def take(
    ptr: Int64[np.ndarray, " ends"], indices: Int64[np.ndarray, " m"]
) -> tuple[Int64[np.ndarray, " flat"], Int64[np.ndarray, " m+1"]]:
    """The positions of the chosen items in the flat array, and the pointers of the result.

    `flat[positions]` is the concatenation of the items `indices`, in that order.
    """
    lengths = np.diff(ptr)[indices]
    chosen = pointers(lengths)
    return np.repeat(ptr[indices] - chosen[:-1], lengths) + np.arange(chosen[-1]), chosen


def owners(ptr: Int64[np.ndarray, " ends"]) -> Int64[np.ndarray, " flat"]:
    """The index of the list that each entry belongs to, e.g. the molecule of each atom."""
    return np.repeat(np.arange(len(ptr) - 1), np.diff(ptr))


def sums(values: Float[np.ndarray, "flat ..."], ptr: Int64[np.ndarray, " ends"]) -> np.ndarray:
    """The sum over each list, (n, ...), in float64. No list may be empty."""
    return np.add.reduceat(np.asarray(values, np.float64), ptr[:-1], axis=0)


def centred(
    pos: Float[np.ndarray, "flat 3"], ptr: Int64[np.ndarray, " ends"]
) -> Float64[np.ndarray, "flat 3"]:
    """`pos` relative to each list's mean, e.g. atoms about their molecule's centroid."""
    means = sums(pos, ptr) / np.diff(ptr)[:, None]
    return np.asarray(pos, np.float64) - means[owners(ptr)]


class Strings(Sequence[str]):
    """Many strings in one UTF-8 buffer; each is decoded only when it is indexed.

    `text` (bytes,) uint8 and `ptr` (n+1,) int64 may be memory-mapped, so that opening a
    hundred thousand strings costs nothing. A slice returns a list of str.
    """

    def __init__(self, text: UInt8[np.ndarray, " bytes"], ptr: Int64[np.ndarray, " ends"]):
        self.text, self.ptr = text, ptr

    @classmethod
    def of(cls, strings: Iterable[str]) -> Strings:
        """Pack ordinary strings."""
        encoded = [s.encode() for s in strings]
        lengths = np.array([len(e) for e in encoded], np.int64)
        return cls(np.frombuffer(b"".join(encoded), np.uint8), pointers(lengths))

    def take(self, indices: Int64[np.ndarray, " m"]) -> Strings:
        """The chosen strings, in the order of `indices`."""
        flat, ptr = take(self.ptr, indices)
        return Strings(self.text[flat], ptr)

    def __len__(self) -> int:
        return len(self.ptr) - 1

    @overload
    def __getitem__(self, key: SupportsIndex) -> str: ...
    @overload
    def __getitem__(self, key: slice) -> list[str]: ...
    def __getitem__(self, key: SupportsIndex | slice) -> str | list[str]:
        if isinstance(key, slice):
            return [self[i] for i in range(*key.indices(len(self)))]
        i = range(len(self))[key]
        return self.text[self.ptr[i] : self.ptr[i + 1]].tobytes().decode()
