"""ASE databases: the SQLite files that `ase.db.connect("mols.db")` writes.

Read with SQLite itself, which can be told not to write: ASE opens its databases for writing, and
makes tables in a file that has none.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, closing
from functools import partial
from gzip import BadGzipFile
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from ..errors import InputError
from .extxyz import NAMES, PERIODIC
from .structure import Coordinates, ReadOptions, Rejected, Structure, build
from .unpacking import open_packed

LARGEST_ROW = 16 * 2**20  # bytes; no molecule takes as many
_COLUMNS = "id, numbers, positions, pbc, key_value_pairs"


def read_db(path: Path, options: ReadOptions) -> Iterator[Structure | Rejected]:
    """The rows of an ASE database; the name is the key name, title or label, if a row has one.

    A gzipped one is unpacked into a temporary file. Raises InputError for a file that is no
    ASE database, or a damaged one.
    """
    with ExitStack() as stack:
        for row, numbers, positions, pbc, pairs in rows(path, stack, _COLUMNS):
            source, name = f"{path}:{row}", _name(pairs) or f"{path.stem}-{row}"
            if pbc:
                yield Rejected(name, source, f"row {row}: {PERIODIC}")
            else:
                yield build(
                    name, source, lambda n=numbers, p=positions: _atoms(n, p), embedded=False
                )


def rows(path: Path, stack: ExitStack, columns: str) -> Iterator[tuple[Any, ...]]:
    """These columns of every system, in order, while `stack` is open; raises as `read_db`."""
    try:
        yield from _rows(path, _unpacked(path, stack), stack, columns)
    except (sqlite3.Error, UnicodeError) as error:
        said = " ".join(str(error).split())
        raise InputError(
            f"{path}: expected an ASE database, SQLite cannot read it ({said}); write it again"
        ) from None
    except (EOFError, zlib.error, BadGzipFile) as error:
        raise InputError(f"{path}: damaged gzip file ({error}); copy it again") from None


def _unpacked(path: Path, stack: ExitStack) -> Path:
    if path.suffix.lower() != ".gz":
        return path
    file = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "rows.db"
    with open_packed(path) as packed, file.open("wb") as out:
        shutil.copyfileobj(packed, out)
    return file


def _rows(path: Path, file: Path, stack: ExitStack, columns: str) -> Iterator[tuple[Any, ...]]:
    if file.stat().st_size == 0:
        return
    address = f"file:{quote(str(file.resolve()))}?mode=ro"
    database = stack.enter_context(closing(sqlite3.connect(address, uri=True)))
    database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LARGEST_ROW)
    database.text_factory = partial(str, encoding="utf-8", errors="replace")
    database.execute("PRAGMA trusted_schema = OFF")
    found = database.execute(
        "SELECT type, sql FROM sqlite_master WHERE name = 'systems'"
    ).fetchone()
    # not a view, nor a virtual table: those compute, without end if they like
    if found is None or found[0] != "table" or not str(found[1]).startswith("CREATE TABLE"):
        raise InputError(f"{path}: expected an ASE database, got one without a table of systems")
    yield from database.execute(f"SELECT {columns} FROM systems ORDER BY id")


def _atoms(numbers: Any, positions: Any) -> Coordinates:
    try:
        pos = np.frombuffer(positions, "<f8").reshape(-1, 3)
        return np.frombuffer(numbers, "<i4").astype(np.int64), pos
    except (TypeError, ValueError):
        raise InputError(
            "expected numbers as 32-bit integers and positions as triples of floats; write the "
            "database with ASE"
        ) from None


def _name(pairs: Any) -> str:
    try:
        found = json.loads(pairs)
        return next((str(found[key])[:200] for key in NAMES if found.get(key)), "")
    except (TypeError, ValueError, AttributeError, RecursionError):
        return ""
