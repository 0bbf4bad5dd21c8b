"""Numbered lines of a text file, plain or gzipped, in the usual encodings."""

from __future__ import annotations

import codecs
import gzip
import io
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, cast

from ..errors import InputError
from .unpacking import open_packed

LONGEST_LINE = 1_000_000  # characters; bounds the memory for a file that is one endless line

_SNIFF = 4096
_MARKS = {  # PowerShell and older Windows programs write UTF-16
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """(line number from 1, line without its end), one line at a time.

    Lines may end in \\n, \\r\\n or \\r. The encoding is UTF-8 with or without a byte-order mark,
    or UTF-16 with one. Raises InputError for a file that cannot be opened, is binary or has
    another encoding, for a line of more than a million characters, and for a gzipped file that
    is damaged or unpacks to far more than its size.
    """

    def opened(stack: ExitStack) -> BinaryIO:
        if path.suffix.lower() == ".gz":
            return stack.enter_context(open_packed(path))
        return stack.enter_context(path.open("rb"))

    return _lines(str(path), opened)


def standard_input() -> Iterator[tuple[int, str]]:
    """`numbered_lines` of standard input, which is not closed."""

    def opened(stack: ExitStack) -> BinaryIO:
        given = sys.stdin.buffer
        if not hasattr(given, "peek"):
            given = io.BufferedReader(cast(io.RawIOBase, given))
            stack.callback(given.detach)
        return given

    return _lines("standard input", opened)


def _lines(label: str, opened: Callable[[ExitStack], BinaryIO]) -> Iterator[tuple[int, str]]:
    try:
        with ExitStack() as stack:
            text = _decoded(label, opened(stack))
            stack.callback(text.detach)
            number = 0
            while line := text.readline(LONGEST_LINE):
                number += 1
                if "\0" in line:
                    raise _not_text(label)
                if len(line) == LONGEST_LINE and not line.endswith("\n"):
                    raise InputError(
                        f"{label}: line {number} is longer than {LONGEST_LINE:,} characters; "
                        "check what the file is"
                    )
                yield number, line.rstrip("\n")
    except UnicodeError:
        raise InputError(
            f"{label}: expected UTF-8 text, got other bytes; "
            "save the file as UTF-8 (iconv -f latin1 -t utf-8 does it)"
        ) from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{label}: damaged gzip file ({error}); copy it again") from None
    except OSError as error:
        raise InputError(f"{label}: cannot be read: {error.strerror or error}") from None


def _decoded(label: str, binary: BinaryIO) -> io.TextIOWrapper:
    head = binary.peek(_SNIFF)[:_SNIFF]  # pyright: ignore[reportAttributeAccessIssue]
    encoding = next((name for mark, name in _MARKS.items() if head.startswith(mark)), "utf-8")
    if encoding != "utf-16" and b"\0" in head:
        raise _not_text(label)
    return io.TextIOWrapper(binary, encoding=encoding, newline=None)


def _not_text(label: str) -> InputError:
    return InputError(
        f"{label}: expected a text file, got binary data; check that its extension is right"
    )
