"""gzip files, unpacked while they are read, with a limit on the unpacked size."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from ..errors import InputError

FREE = 16 * 2**20  # bytes that any file may unpack to
# above FREE, the largest ratio of unpacked to packed size; text has 3 to 30, zeros have 1,000
RATIO = 200
_BLOCK = 2**16


@contextmanager
def open_packed(path: Path) -> Iterator[BinaryIO]:
    """Open a gzipped file to read its unpacked content.

    Reading raises InputError if the file unpacks to more than 16 MiB and more than 200 times the
    bytes read so far, and EOFError, zlib.error or gzip.BadGzipFile if it is damaged.
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
                "molecules does; check what it is, and unpack it yourself if it is correct"
            )
        return size
