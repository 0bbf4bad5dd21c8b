"""Numbered lines of a text file, plain or gzipped, whichever program wrote it."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from molinv.errors import InputError

_SNIFF = 4096
_MARKS = {  # PowerShell and older Windows programs write UTF-16
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """(line number from 1, line without its end), one at a time.

    Any of the three line ends; UTF-8 with or without a byte-order mark, or UTF-16 with
    one. Raises InputError for a file that cannot be opened, is binary or is not UTF-8.
    """
    try:
        with _open(path) as binary, _decoded(path, binary) as text:
            for number, line in enumerate(text, 1):
                if "\0" in line:
                    raise _not_text(path)
                yield number, line.rstrip("\n")
    except UnicodeError:
        raise InputError(
            f"{path}: expected UTF-8 text, got other bytes; "
            "save the file as UTF-8 (iconv -f latin1 -t utf-8 does it)"
        ) from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path}: damaged gzip file ({error}); copy it again") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None


def _open(path: Path) -> BinaryIO:
    packed = path.suffix.lower() == ".gz"
    return cast(BinaryIO, gzip.open(path) if packed else path.open("rb"))


def _decoded(path: Path, binary: BinaryIO) -> io.TextIOWrapper:
    head = binary.read(_SNIFF)
    binary.seek(0)
    encoding = next((name for mark, name in _MARKS.items() if head.startswith(mark)), "utf-8")
    if encoding != "utf-16" and b"\0" in head:
        raise _not_text(path)
    return io.TextIOWrapper(binary, encoding=encoding, newline=None)


def _not_text(path: Path) -> InputError:
    return InputError(
        f"{path}: expected a text file, got binary data; check that its extension is right"
    )
