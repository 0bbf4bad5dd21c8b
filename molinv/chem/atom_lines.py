"""The atom lines of an XYZ frame: elements and coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import cache

import numpy as np

from ..errors import InputError
from .frames import Line, number, shown
from .structure import HEAVIEST, Coordinates


def coordinates(
    rows: Sequence[Line], element: int = 0, place: int = 1, wide: int = 4
) -> Coordinates:
    """z (N,) and pos (N, 3) from the columns `element` and `place` to `place` + 2.

    Coordinates are in angstrom. Raises InputError for an unknown element, a coordinate that is
    not a finite number, and a line of fewer than `wide` columns.
    """
    cells = [text.split(None, wide) for _, text in rows]
    try:
        # fast path for well-formed lines, since libraries have millions of molecules
        known = _symbols()
        z = np.array([known[c[element]] for c in cells], dtype=np.int64)
        x, y = place + 1, place + 2
        pos = np.array([(float(c[place]), float(c[x]), float(c[y])) for c in cells]).reshape(-1, 3)
        if wide > 4 and any(len(c) < wide for c in cells):
            raise IndexError
        if np.isfinite(pos).all() and not any("_" in text for _, text in rows):
            return z, pos
    except (KeyError, ValueError, IndexError):
        pass
    z, pos = np.empty(len(cells), dtype=np.int64), np.full((len(cells), 3), np.nan)
    for i, (line, text) in enumerate(rows):
        if len(cells[i]) > element:
            z[i] = _element(cells[i][element], line)
        with suppress(ValueError):
            pos[i] = [number(cell) for cell in cells[i][place : place + 3]]
        if len(cells[i]) < wide or not np.isfinite(pos[i]).all():
            more = f" in {wide} columns, as Properties says" if wide > 4 else ""
            raise InputError(
                f"line {line}: expected an element and three finite coordinates in angstrom{more}, "
                f"got {shown(text)}"
            )
    return z, pos


def _element(text: str, line: int) -> int:
    if text.isascii() and text.isdecimal():
        z = int(text[:4])
    else:
        z = _symbols().get(text.capitalize(), 0)
    if not 1 <= z <= HEAVIEST:
        raise InputError(
            f"line {line}: unknown element {text[:12]!r}: expected a symbol such as C, or an "
            f"atomic number from 1 to {HEAVIEST}"
        )
    return z


@cache
def _symbols() -> dict[str, int]:
    from rdkit import Chem

    table = Chem.GetPeriodicTable()
    symbols = {table.GetElementSymbol(z): z for z in range(1, HEAVIEST + 1)}
    return symbols | {"D": 1, "T": 1}  # hydrogen's isotopes
