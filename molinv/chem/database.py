"""ASE's files: databases (`ase.db.connect("mols.db")`) and trajectories (.traj).

Databases are opened read-only with SQLite; ASE would open them for writing and create tables in
a file that has none. Trajectories are arrays with JSON (ASE's ulm format), without pickles.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from gzip import BadGzipFile
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from ..errors import InputError
from .state import in_keys
from .structure import (
    GIVEN,
    PERIODIC,
    Coordinates,
    Geometry,
    ReadOptions,
    Rejected,
    Structure,
    name_in,
    structure_of,
)
from .unpacking import open_packed

LARGEST_ROW = 16 * 2**20  # bytes, more than any molecule needs
_COLUMNS = "id, numbers, positions, pbc, key_value_pairs, data, initial_charges, initial_magmoms"


def read_db(path: Path, options: ReadOptions) -> Iterator[Structure | Rejected]:
    """The rows of an ASE database, named by a key called name, title or label if they have one.

    A gzipped database is unpacked into a temporary file. Raises InputError for a file that is
    not an ASE database, and for a damaged one.
    """
    for row, *given, pbc, pairs, data, charges, moments in rows(path, _COLUMNS):
        source, name = f"{path}:{row}", name_in(from_json(pairs)) or f"{path.stem}-{row}"
        if pbc:
            yield Rejected(name, source, f"row {row}: {PERIODIC}")
        else:
            find = partial(_of_row, given, data, pairs, charges, moments)
            yield structure_of(name, source, find)


def read_traj(path: Path, options: ReadOptions) -> Iterator[Structure | Rejected]:
    """The frames of an ASE trajectory, named like .extxyz frames; raises as `trajectory`."""
    for number, frame in enumerate(trajectory(path), 1):
        source, info = f"{path}:{number}", frame.get("info")
        name = name_in(info if isinstance(info, dict) else {}) or f"{path.stem}-{number}"
        if np.any(frame["pbc"]):
            yield Rejected(name, source, f"frame {number}: {PERIODIC}")
        else:
            yield structure_of(name, source, partial(_of_frame, frame))


def rows(path: Path, columns: str, table: str = "systems") -> Iterator[tuple[Any, ...]]:
    """The given columns of every row of a table, in order; raises as `read_db`."""
    try:
        with _unpacked(path) as file, ExitStack() as stack:
            yield from _rows(path, file, stack, columns, table)
    except (sqlite3.Error, UnicodeError) as error:
        said = " ".join(str(error).split())
        raise InputError(
            f"{path}: expected an ASE database, SQLite cannot read it ({said}); write it again"
        ) from None


def trajectory(path: Path) -> Iterator[dict[str, Any]]:
    """The arrays and values of every frame; calculator results are under "calculator".

    Raises InputError for a file that ASE cannot read as a trajectory.
    """
    from ase.io.ulm import Reader

    with _unpacked(path) as file:
        if file.stat().st_size == 0:
            return
        try:
            with file.open("rb") as binary:
                given = Reader(binary)
                if given.get_tag() != "ASE-Trajectory":
                    raise ValueError("no trajectory")
                start = {"pbc": False} | (given.asdict() if len(given) else {})
                # values that all frames share are stored in the first one only
                start = {key: start.get(key) for key in ("pbc", "numbers")}
                for number in range(len(given)):
                    yield start | given[number].asdict()
        # a damaged file makes ASE fail in many ways: KeyError, TypeError, MemoryError, ...
        except Exception as error:
            said = " ".join(str(error).split())[:120] or type(error).__name__
            raise InputError(
                f"{path}: expected an ASE trajectory, ASE cannot read it ({said}); write it again"
            ) from None


def from_json(text: Any) -> dict[str, Any]:
    """The JSON object in a text; empty if there is none."""
    try:
        found = json.loads(text) if text else {}
        return found if isinstance(found, dict) else {}
    except (TypeError, ValueError, RecursionError):
        return {}


@contextmanager
def _unpacked(path: Path) -> Iterator[Path]:
    if path.suffix.lower() != ".gz":
        yield path
        return
    try:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "unpacked"
            with open_packed(path) as packed, file.open("wb") as out:
                shutil.copyfileobj(packed, out)
            yield file
    except (EOFError, zlib.error, BadGzipFile) as error:
        raise InputError(f"{path}: damaged gzip file ({error}); copy it again") from None


def _rows(
    path: Path, file: Path, stack: ExitStack, columns: str, table: str
) -> Iterator[tuple[Any, ...]]:
    if file.stat().st_size == 0:
        return
    address = f"file:{quote(str(file.resolve()))}?mode=ro"
    database = stack.enter_context(closing(sqlite3.connect(address, uri=True)))
    database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LARGEST_ROW)
    database.text_factory = partial(str, encoding="utf-8", errors="replace")
    database.execute("PRAGMA trusted_schema = OFF")
    found = database.execute(
        "SELECT type, sql FROM sqlite_master WHERE name = ?", [table]
    ).fetchone()
    # views and virtual tables are refused, because they may compute without end
    if found is None or found[0] != "table" or not str(found[1]).startswith("CREATE TABLE"):
        raise InputError(f"{path}: expected an ASE database, got one without a table of {table}")
    yield from database.execute(f"SELECT {columns} FROM {table} ORDER BY rowid")


def unpacked(blob: Any) -> dict[str, Any]:
    """A row's data as a dict. ASE stores it as JSON, or as arrays followed by JSON offsets."""
    from ase.db.core import bytes_to_object

    if not isinstance(blob, bytes):
        return from_json(blob)
    try:
        found = bytes_to_object(blob)
    except Exception:  # a damaged row: ASE fails in many ways
        return {}
    return found if isinstance(found, dict) else {}


def _of_row(given: list[Any], data: Any, pairs: Any, charges: Any, moments: Any) -> Geometry:
    z, pos = _atoms(*given)
    initial = (
        np.frombuffer(x, "<f8") if isinstance(x, bytes) else None for x in (charges, moments)
    )
    said = in_keys((unpacked(data) if data else {}) | from_json(pairs), z, *initial)
    return Geometry(z, pos, GIVEN, *said)


def _of_frame(frame: dict[str, Any]) -> Geometry:
    z, pos = np.asarray(frame["numbers"]), np.asarray(frame.get("positions"))
    if pos.dtype.kind not in "iuf":
        raise InputError("expected positions as numbers: write the trajectory with ASE")
    info = frame.get("info")
    keys = info if isinstance(info, dict) else {}
    said = in_keys(keys, z, frame.get("charges"), frame.get("magmoms"))
    return Geometry(z, pos.astype(np.float64), GIVEN, *said)


def _atoms(numbers: Any, positions: Any) -> Coordinates:
    try:
        pos = np.frombuffer(positions, "<f8").reshape(-1, 3)
        return np.frombuffer(numbers, "<i4").astype(np.int64), pos
    except (TypeError, ValueError):
        raise InputError(
            "expected numbers as 32-bit integers and positions as triples of floats; write the "
            "database with ASE"
        ) from None
