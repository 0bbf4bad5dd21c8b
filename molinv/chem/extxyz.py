"""Extended XYZ files, whose comment line describes the columns: read by ASE."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from ..errors import InputError
from .frames import Broken, Frame, frames
from .structure import Coordinates, Pending, ReadOptions, Rejected, Structure, build
from .textfile import numbered_lines

PERIODIC = (
    'periodic structures are not supported: give a molecule, with pbc="F F F" or without Lattice'
)
NAMES = ("name", "title", "label")
_WIDE = re.compile(r":\d{4,}")  # a column count that would only cost memory


def read_extxyz(path: Path, options: ReadOptions) -> Iterator[Pending | Rejected]:
    """The frames of a .extxyz file; the name is its name, title or label key, if it has one.

    Each frame goes to ASE by itself, so that one it cannot parse loses no other.
    """
    for index, frame in enumerate(frames(numbered_lines(path)), 1):
        name, source = f"{path.stem}-{index}", f"{path}:{frame.line}"
        if isinstance(frame, Broken):
            yield Rejected(name, source, frame.reason)
        else:
            yield Pending(name, source, partial(extended, frame, name, source))


def extended(frame: Frame, name: str, source: str, options: ReadOptions) -> Structure | Rejected:
    """One frame by ASE's parser; Rejected where it is periodic or cannot be read."""
    try:
        info, coordinates = _parse(frame)
    except InputError as error:
        return Rejected(name, source, str(error))
    name = next((str(info[key]) for key in NAMES if info.get(key)), name)
    return build(name, source, lambda: coordinates, embedded=False)


def _parse(frame: Frame) -> tuple[dict, Coordinates]:
    import ase.io

    if frame.vectors:
        raise InputError(f"line {frame.vectors[0][0]}: {PERIODIC}")
    if _WIDE.search(frame.comment):
        raise InputError(f"line {frame.line + 1}: expected fewer than 1000 columns in Properties")
    if "Properties=" in frame.comment and "pos:R:3" not in frame.comment:
        # ASE would put every atom at the origin.
        raise InputError(f"line {frame.line + 1}: expected pos:R:3 in Properties, got none")
    rows = "".join(f"{text}\n" for _, text in frame.rows)
    text = io.StringIO(f"{len(frame.rows)}\n{frame.comment}\n{rows}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            (atoms,) = ase.io.iread(text, index=":", format="extxyz")
            periodic = bool(atoms.pbc.any())
            coordinates = atoms.numbers, atoms.positions
    # ASE lets whatever its parsing runs into escape: KeyError, IndexError, AttributeError, ...
    except Exception as error:
        said = " ".join(str(error).split())[:120] or type(error).__name__
        raise InputError(
            f"line {frame.line}: ASE cannot read this frame ({said}): check its Properties "
            "and its columns"
        ) from None
    if periodic:
        raise InputError(f"line {frame.line}: {PERIODIC}")
    return atoms.info, coordinates
