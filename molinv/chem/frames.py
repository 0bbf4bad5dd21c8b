"""The frames of an XYZ file, and how reading resumes after a broken frame."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from .structure import HEAVIEST

Line = tuple[int, str]

_COUNT = re.compile(r"\s*[0-9]+\s*")
_LETTERS = re.compile(r"[A-Za-z]{1,2}")
MOST_ROWS = 100_000  # bounds the memory for a file that is one endless frame
_QM9_TAIL = 3  # frequencies, SMILES, InChI


@dataclass(frozen=True)
class Frame:
    """One frame: line number of its atom count, comment, atom lines and old-style VEC lines."""

    line: int
    comment: str
    rows: list[Line]
    vectors: list[Line] = field(default_factory=list)


@dataclass(frozen=True)
class Broken:
    """A frame whose end cannot be found; reading resumes at the next valid frame."""

    line: int
    reason: str


def number(text: str) -> float:
    """Parse a float, also in the forms 1.0D+00 (Fortran) and 1.0*^-6 (QM9).

    Raises ValueError for anything else.
    """
    if "_" in text:  # Python's float accepts 1_000
        raise ValueError(text)
    return float(text.replace("*^", "e").replace("D", "E").replace("d", "e"))


def frames(lines: Iterator[Line]) -> Iterator[Frame | Broken]:
    """The frames of a plain or extended XYZ file, one in memory at a time.

    A frame is an atom count, a comment, and that number of atom lines. Blank lines between
    frames and the three extra lines of QM9's files are skipped.
    """
    ahead = _Ahead(lines)
    while (top := ahead.peek()) is not None:
        start, text = top
        if not text.strip():
            ahead.take()
        elif not _COUNT.fullmatch(text):
            yield Broken(start, f"line {start}: expected an atom count, got {shown(text)}")
            _resume(ahead)
        else:
            yield _frame(ahead)


def shown(text: str) -> str:
    """A line of the user's file, shortened and quoted for a message."""
    text = " ".join(text.split())
    return repr(text if len(text) <= 50 else text[:50] + "...")


class _Ahead:
    """Lines that can be looked at before they are taken."""

    def __init__(self, lines: Iterator[Line]) -> None:
        self._lines, self._seen = lines, deque[Line]()

    def peek(self, offset: int = 0) -> Line | None:
        while len(self._seen) <= offset:
            line = next(self._lines, None)
            if line is None:
                return None
            self._seen.append(line)
        return self._seen[offset]

    def rows(self, most: int) -> list[Line]:
        """Take at most `most` lines, up to a line that is blank or an atom count."""
        taken: list[Line] = []
        while len(taken) < most:
            line = self._seen.popleft() if self._seen else next(self._lines, None)
            if line is None:
                break
            if not line[1].strip() or _COUNT.fullmatch(line[1]):
                self._seen.appendleft(line)
                break
            taken.append(line)
        return taken

    def take(self) -> Line:
        line = self.peek()
        assert line is not None
        self._seen.popleft()
        return line


def _frame(ahead: _Ahead) -> Frame | Broken:
    start, text = ahead.take()
    expected = text.strip()
    comment = ahead.take()[1] if ahead.peek() else ""
    # the length is checked first: int() of a thousand digits would be slow
    rows = ahead.rows(min(int(expected), MOST_ROWS) if len(expected) < 12 else 0)
    if len(expected) >= 12 or len(rows) < int(expected):
        _resume(ahead)
        why = "the frame is cut short or its count is wrong"
        if len(rows) == MOST_ROWS:
            why = "no molecule has as many"
        return Broken(
            start,
            f"line {start}: the count says {expected[:12]} atoms, got {len(rows)} atom lines: "
            f"{why}",
        )
    vectors = []
    while (line := ahead.peek()) and line[1].lstrip().startswith("VEC"):
        vectors.append(ahead.take())
    if (line := ahead.peek()) and _is_atom(line[1]):
        _resume(ahead)
        return Broken(
            start,
            f"line {start}: the count says {expected} atoms, but line {line[0]} is one more: "
            "correct the count",
        )
    if comment.startswith("gdb "):
        _skip_qm9_tail(ahead)
    return Frame(start, comment, rows, vectors)


def _skip_qm9_tail(ahead: _Ahead) -> None:
    for _ in range(_QM9_TAIL):
        if (line := ahead.peek()) and not _COUNT.fullmatch(line[1]):
            ahead.take()


def _resume(ahead: _Ahead) -> None:
    """Skip to the next atom count with an atom line two lines below it, or to the end."""
    while (line := ahead.peek()) is not None:
        below = ahead.peek(2)
        if _COUNT.fullmatch(line[1]) and below is not None and _is_atom(below[1]):
            return
        ahead.take()


def _is_atom(line: str) -> bool:
    cells = line.split()
    if len(cells) < 4:
        return False
    letters = _LETTERS.fullmatch(cells[0])
    if not letters and not (_COUNT.fullmatch(cells[0]) and len(cells[0]) <= len(str(HEAVIEST))):
        return False
    try:
        return all(number(cell) is not None for cell in cells[1:4])
    except ValueError:
        return False
