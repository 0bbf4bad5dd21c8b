"""Values that a file has for each atom, parsed only when they are used."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from .frames import Line, number

_PROPERTIES = re.compile(r'\bProperties\s*=\s*"?([^\s"]+)')
_OWN = ("species", "pos", "Z", "numbers")  # columns of the geometry itself


@dataclass(frozen=True, eq=False)
class ByAtom:
    """Values of each atom: `array()` is (n,) or (n, columns), or None if not numeric."""

    make: Callable[[], np.ndarray | None]

    def array(self) -> np.ndarray | None:
        """The values in float64, or None."""
        return self.make()

    def __str__(self) -> str:
        return "numbers of each atom"


def columns(comment: str) -> Iterator[tuple[str, str, slice]]:
    """(name, kind, slice of columns) of each entry of Properties in an extended XYZ comment."""
    match = _PROPERTIES.search(comment)
    parts = match[1].split(":") if match else []
    start = 0
    for name, kind, count in zip(parts[::3], parts[1::3], parts[2::3], strict=False):
        if not (count.isascii() and count.isdecimal() and len(count) < 4):
            return  # the reader of the geometry raises the error
        yield name, kind, slice(start, start + int(count))
        start += int(count)


def of_rows(comment: str, rows: Sequence[Line]) -> Iterator[tuple[str, ByAtom]]:
    """The numeric columns of an extended XYZ frame, except those of the geometry."""
    for name, kind, which in columns(comment):
        if kind in ("R", "I") and name not in _OWN:
            yield name, ByAtom(lambda c=which: _parse(rows, c))


def of_bytes(raw: object, columns: int) -> ByAtom | None:
    """An array of doubles from an ASE database, with `columns` values for each atom."""
    if not isinstance(raw, bytes):
        return None
    return ByAtom(lambda: _doubles(raw, columns))


def shaped(rows: list[dict[str, Any]], atoms: list[int]) -> Iterator[dict[str, Any]]:
    """The rows, in which arrays with one row for each atom are wrapped in `ByAtom`.

    A key has atom values if its arrays are as long as the number of atoms in every row. If all
    molecules have three atoms, arrays of three numbers are taken as vectors, except for keys
    that contain "charge" or "force".
    """
    rows = [{key: _array(value) for key, value in row.items()} for row in rows]
    fits: dict[str, bool] = {}
    flat: dict[str, bool] = {}
    for row, n in zip(rows, atoms, strict=True):
        for key, value in row.items():
            if isinstance(value, np.ndarray) and value.ndim:
                fits[key] = fits.get(key, True) and len(value) == n
                flat[key] = flat.get(key, True) and value.shape in ((3,), (1, 3), (1,))
    by_atom = {k for k in fits if fits[k] and (not flat[k] or "charge" in k or "force" in k)}
    for row in rows:
        yield {
            k: ByAtom(partial(np.asarray, v)) if k in by_atom else _squeezed(v)
            for k, v in row.items()
        }


def _array(value: Any) -> Any:
    """Numbers as a float64 array; other values unchanged."""
    if not isinstance(value, np.ndarray | list):
        return value
    try:
        made = np.asarray(value)
    except ValueError:  # lists of unequal length
        return value
    return made.astype(np.float64) if made.dtype.kind in "iuf" else value


def _squeezed(value: Any) -> Any:
    single = isinstance(value, np.ndarray) and value.ndim > 1 and len(value) == 1
    return value[0] if single else value


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
