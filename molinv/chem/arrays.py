"""Numbers that a file has for each atom: read when they are asked for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from .frames import Line, number

_PROPERTIES = re.compile(r'\bProperties\s*=\s*"?([^\s"]+)')
_OWN = ("species", "pos", "Z", "numbers")  # what the geometry is made of


@dataclass(frozen=True, eq=False)
class ByAtom:
    """Numbers of each atom, (n,) or (n, columns); None where they are no numbers."""

    make: Callable[[], np.ndarray | None]

    def array(self) -> np.ndarray | None:
        """As float64."""
        return self.make()

    def __str__(self) -> str:
        return "numbers of each atom"


def columns(comment: str) -> Iterator[tuple[str, str, slice]]:
    """(name, kind, which) of the columns that an extended XYZ comment's Properties name."""
    match = _PROPERTIES.search(comment)
    parts = match[1].split(":") if match else []
    start = 0
    for name, kind, count in zip(parts[::3], parts[1::3], parts[2::3], strict=False):
        if not (count.isascii() and count.isdecimal() and len(count) < 4):
            return  # the reader of the geometry says what is wrong
        yield name, kind, slice(start, start + int(count))
        start += int(count)


def of_rows(comment: str, rows: Sequence[Line]) -> Iterator[tuple[str, ByAtom]]:
    """The columns of numbers in an extended XYZ frame, but for the geometry's."""
    for name, kind, which in columns(comment):
        if kind in ("R", "I") and name not in _OWN:
            yield name, ByAtom(lambda c=which: _parse(rows, c))


def of_bytes(raw: object, columns: int) -> ByAtom | None:
    """An ASE database's array of doubles, `columns` to an atom."""
    if not isinstance(raw, bytes):
        return None
    return ByAtom(lambda: _doubles(raw, columns))


def _doubles(raw: bytes, columns: int) -> np.ndarray | None:
    try:
        flat = np.frombuffer(raw, "<f8")
        return flat.reshape(-1, columns) if columns > 1 else flat
    except ValueError:
        return None


def _parse(rows: Sequence[Line], columns: slice) -> np.ndarray | None:
    try:
        cells = [[number(cell) for cell in text.split()[columns]] for _, text in rows]
        made = np.array(cells, np.float64)
    except ValueError:  # text, or lines of unequal length
        return None
    if made.ndim != 2 or made.shape[1] != columns.stop - columns.start:
        return None
    return made[:, 0] if made.shape[1] == 1 else made
