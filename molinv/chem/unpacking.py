"""gzip, unpacked as it is read and never without end."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from ..errors import InputError

FREE = 16 * 2**20  # bytes that any file may unpack to
RATIO = 200  # beyond those, times its own size; molecules' text packs 3 to 30 times, zeros 1,000
_BLOCK = 2**16


@contextmanager
def open_packed(path: Path) -> Iterator[BinaryIO]:
    """A gzipped file, to be read as if it were not.

    Reading raises InputError where it unpacks to more than 16 MiB and to more than 200 times the
    bytes read so far, and EOFError, zlib.error or gzip.BadGzipFile where it is damaged.
    """
    with path.open("rb") as packed, gzip.GzipFile(fileobj=packed) as unpacked:
        yield cast(BinaryIO, io.BufferedReader(_Bounded(path, packed, unpacked), _BLOCK))


class _Bounded(io.RawIOBase):
    def __init__(self, path: Path, packed: BinaryIO, unpacked: gzip.GzipFile) -> None:
        self._path, self._packed, self._unpacked, self._count = path, packed, unpacked, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        size = self._unpacked.readinto(buffer)
        self._count += size
        if self._count > max(FREE, RATIO * self._packed.tell()):
            raise InputError(
                f"{self._path}: unpacks to more than {RATIO} times its size, as no file of "
                "molecules does; check what it is, and unpack it yourself if it is meant"
            )
        return size
