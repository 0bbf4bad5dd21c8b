"""Plain XYZ files: an atom count, a comment, then element x y z a line, in angstrom."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path

import numpy as np

from ..errors import InputError
from .extxyz import extended
from .frames import Broken, Frame, frames, number, shown
from .structure import (
    HEAVIEST,
    Coordinates,
    Pending,
    ReadOptions,
    Rejected,
    Structure,
    build,
)
from .textfile import numbered_lines

_LONGEST_NAME = 40  # a longer comment is a program's bookkeeping


def read_xyz(path: Path, options: ReadOptions) -> Iterator[Pending | Rejected]:
    """The frames of a .xyz file; a broken one costs no more than itself where possible.

    Elements are symbols in any case, D and T, or atomic numbers; further columns are
    ignored. A frame whose comment holds Properties= or Lattice= is read as extended XYZ.
    The name is a short comment without "=", else the file's stem and the frame's number.
    """
    for index, frame in enumerate(frames(numbered_lines(path)), 1):
        name, source = f"{path.stem}-{index}", f"{path}:{frame.line}"
        if isinstance(frame, Broken):
            yield Rejected(name, source, frame.reason)
        elif "Properties=" in frame.comment or "Lattice=" in frame.comment or frame.vectors:
            yield Pending(name, source, partial(extended, frame, name, source))
        else:
            name = _title(frame.comment) or name
            yield Pending(name, source, partial(_plain, frame, name, source))


def _plain(frame: Frame, name: str, source: str, options: ReadOptions) -> Structure | Rejected:
    return build(name, source, lambda: _coordinates(frame), embedded=False)


def _title(comment: str) -> str:
    comment = " ".join(comment.split("\t")[0].split())  # QM9: "gdb 3", a tab, numbers
    return comment if len(comment) <= _LONGEST_NAME and "=" not in comment else ""


def _coordinates(frame: Frame) -> Coordinates:
    cells = [text.split(None, 4) for _, text in frame.rows]
    try:
        # the usual case first: libraries of millions are read
        known = _symbols()
        z = np.array([known[c[0]] for c in cells], dtype=np.int64)
        pos = np.array([(float(c[1]), float(c[2]), float(c[3])) for c in cells]).reshape(-1, 3)
        if np.isfinite(pos).all() and not any("_" in text for _, text in frame.rows):
            return z, pos
    except (KeyError, ValueError, IndexError):
        pass
    z, pos = np.empty(len(cells), dtype=np.int64), np.empty((len(cells), 3))
    for i, (line, text) in enumerate(frame.rows):
        z[i] = _element(cells[i][0], line)
        try:
            pos[i] = [number(cell) for cell in cells[i][1:4]]
        except ValueError:
            pos[i] = math.nan
        if len(cells[i]) < 4 or not np.isfinite(pos[i]).all():
            raise InputError(
                f"line {line}: expected an element and three finite coordinates in angstrom, "
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
