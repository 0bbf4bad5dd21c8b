"""XYZ files, plain and extended: an atom count, a comment, then lines "element x y z" (angstrom).

The comment of an extended frame has key=value pairs; Properties= describes the columns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from .arrays import columns, of_rows
from .atom_lines import coordinates
from .frames import Broken, Frame, frames
from .state import in_keys
from .structure import (
    GIVEN,
    PERIODIC,
    Coordinates,
    Geometry,
    Pending,
    ReadOptions,
    Rejected,
    Structure,
    name_in,
    structure_of,
)
from .textfile import numbered_lines

_LONGEST_NAME = 40  # longer comments are notes of programs, not names
_WIDE = re.compile(r":\d{4,}")  # a column count that would only cost memory


def read_xyz(
    path: Path, options: ReadOptions, always: bool = False
) -> Iterator[Pending | Rejected]:
    """The frames of a .xyz or .extxyz file. Reading resumes after a broken frame if possible.

    Elements are symbols in upper or lower case (also D and T), or atomic numbers. A frame is
    extended if its comment contains Properties= or Lattice=, or with `always`; its name is then in
    a key called name, title or label. In a plain frame the name is a short comment without "=",
    and further columns are ignored. Frames without a name get the file's stem and their number.
    """
    for index, frame in enumerate(frames(numbered_lines(path)), 1):
        name, source = f"{path.stem}-{index}", f"{path}:{frame.line}"
        if isinstance(frame, Broken):
            yield Rejected(name, source, frame.reason)
        elif always or "Properties=" in frame.comment or "Lattice=" in frame.comment:
            yield Pending(name, source, partial(_extended, frame, name, source))
        else:
            name = _title(frame.comment) or name
            yield Pending(name, source, partial(_plain, frame, name, source))


read_extxyz = partial(read_xyz, always=True)


def keys(frame: Frame) -> dict[str, Any]:
    """The key=value pairs of a frame's comment; raises InputError if ASE cannot parse them."""
    from ase.io.extxyz import key_val_str_to_dict

    try:
        found = key_val_str_to_dict(frame.comment)
    # ASE raises many kinds of errors here: KeyError, IndexError, AttributeError, ...
    except Exception as error:
        said = " ".join(str(error).split())[:120] or type(error).__name__
        raise InputError(
            f"line {frame.line + 1}: ASE cannot read this comment ({said}): correct it"
        ) from None
    # numbers that ASE writes as "_JSON 1.5" are parsed as 0-dimensional arrays
    return {
        k: v.item() if isinstance(v, np.ndarray) and not v.ndim else v for k, v in found.items()
    }


def _plain(frame: Frame, name: str, source: str, options: ReadOptions) -> Structure | Rejected:
    def read() -> Geometry:
        _refuse_cell(frame, bool(frame.vectors))
        z, pos = coordinates(frame.rows)
        try:
            given = keys(frame) if "=" in frame.comment else {}
        except InputError:  # the comment of a plain frame is free text
            given = {}
        return Geometry(z, pos, GIVEN, *in_keys(given, z))

    return structure_of(name, source, read)


def _extended(frame: Frame, name: str, source: str, options: ReadOptions) -> Structure | Rejected:
    try:
        given = keys(frame)
    except InputError as error:
        return Rejected(name, source, str(error))

    def read() -> Coordinates:
        cell = bool(frame.vectors) or "Lattice" in given
        _refuse_cell(frame, bool(np.any(given["pbc"])) if "pbc" in given else cell)
        if _WIDE.search(frame.comment):
            raise InputError(
                f"line {frame.line + 1}: expected fewer than 1000 columns in Properties"
            )
        kinds = {name: (kind, where) for name, kind, where in columns(frame.comment)}
        if not kinds and "Properties" not in given:
            return coordinates(frame.rows)
        element = next((kinds[k][1] for k in ("species", "Z", "numbers") if k in kinds), None)
        kind, place = kinds.get("pos", ("", slice(0, 0)))
        if element is None or kind != "R" or place.stop - place.start != 3:
            raise InputError(
                f"line {frame.line + 1}: expected species:S:1 and pos:R:3 in Properties, got none"
            )
        wide = max(where.stop for _, where in kinds.values())
        return coordinates(frame.rows, element.start, place.start, wide)

    def found() -> Geometry:
        z, pos = read()
        by_atom = dict(of_rows(frame.comment, frame.rows))
        initial = [by_atom.get(name) for name in ("initial_charges", "initial_magmoms")]
        said = in_keys(given, z, *(None if a is None else a.array() for a in initial))
        return Geometry(z, pos, GIVEN, *said)

    return structure_of(name_in(given) or name, source, found)


def _refuse_cell(frame: Frame, periodic: bool) -> None:
    if periodic:
        raise InputError(f"line {frame.line}: {PERIODIC}")


def _title(comment: str) -> str:
    comment = " ".join(comment.split("\t")[0].split())  # QM9: "gdb 3", a tab, numbers
    return comment if len(comment) <= _LONGEST_NAME and "=" not in comment else ""
