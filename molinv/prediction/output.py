"""Predictions as a .csv or .json file: the columns of the inputs, then those of the model."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from itertools import takewhile
from math import isfinite
from pathlib import Path
from typing import Any

from ..atomic import atomic_write
from ..chem.structure import Rejected
from ..errors import InputError
from .input_columns import InputColumns

SUFFIXES = (".csv", ".json", ".sdf")

Rows = Sequence[dict[str, Any]]


def check_path(path: str) -> Path:
    """The path of an output file, checked before anything is predicted.

    Raises InputError for an unknown ending and for a missing folder.
    """
    if Path(path).suffix not in SUFFIXES:
        raise InputError(
            f"cannot write {path}: expected a name ending in .csv, .json, .sdf or .parquet."
        )
    if not Path(path).parent.is_dir():
        raise InputError(
            f"cannot write {path}: there is no folder {Path(path).parent}; create it first."
        )
    return Path(path)


def rows_of(
    results: Sequence[dict[str, Any] | Rejected],
    inputs: Sequence[str] = (),
    smiles_column: str | None = None,
) -> list[dict[str, Any]]:
    """A row for the output file, for each result of `Predictor.predict`.

    The columns of `inputs` are first (see `chem.columns`), and `error` is last: the reason why
    there are no values, or None.
    """
    made: list[dict[str, Any]] = [
        {"name": r.name, "smiles": None, "source": r.source, "error": r.reason}
        if isinstance(r, Rejected)
        else r | {"error": None}
        for r in results
    ]
    taken = {name for row in made for name in row}
    given = InputColumns(inputs, smiles_column, taken).cells([row["source"] for row in made])
    return [cells | row for cells, row in zip(given, made, strict=True)]


def write(path: Path, rows: Rows) -> None:
    """Write rows as .csv or .json, atomically."""
    with (
        atomic_write(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        if path.suffix == ".json":
            json.dump([_finite(row) for row in rows], file, indent=1, allow_nan=False)
        else:
            writer = csv.DictWriter(file, _columns(rows))
            writer.writeheader()
            writer.writerows(rows)


def _finite(value: Any) -> Any:
    """The value with NaN and infinity replaced by None, because JSON lacks them."""
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    return [_finite(each) for each in value] if isinstance(value, list | tuple) else value


def _columns(rows: Rows) -> list[str]:
    """The columns of all rows. Those of the inputs, which precede "name", are first."""
    # only some rows have columns of conformers
    longest = sorted(rows, key=len, reverse=True) or [{"name": ""}]
    given = [k for row in rows for k in takewhile(lambda k: k != "name", row)]
    return list(dict.fromkeys([*given, *(k for row in longest for k in row)]))
