"""The columns of an input that a model takes, beside the structures that are read from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import InputError
from .descriptors import SMILES, Descriptors
from .labels import LABELS, labels
from .structure import Item, Pending, ReadOptions, Rejected, Structure
from .tables import table_rows

TABLES = (".csv", ".tsv")


def with_columns(items: Iterator[Item], path: Path, options: ReadOptions) -> Iterator[Item]:
    """The records of a file with the columns that `options.descriptors` name.

    Raises InputError for a table that lacks one, and for a kind of file that has no columns.
    """
    wanted = options.descriptors
    if not wanted:
        return items
    extension = Path(path.name.lower().removesuffix(".gz")).suffix
    columns = _columns(path, extension, options)
    lacking = [name for name in wanted.columns if columns is not None and name not in columns]
    if lacking:
        raise InputError(
            f"{path}: the model takes the columns {_listed(wanted.columns)}, and "
            f"{_listed(lacking)} is not among {_listed(columns or ()) or 'what such a file has'}: "
            "add it, or give a table with these columns."
        )
    if extension not in LABELS:
        return items
    both = zip(items, labels(path, options), strict=True)
    return (_attached(item, said, wanted) for item, said in both)


def missing_columns(wanted: Descriptors) -> str:
    """The reason for which a structure without columns is refused."""
    return (
        f"the model takes the columns {_listed(wanted.columns)}, which this input does not have: "
        "give a .csv file with these, or an .sdf or .extxyz file with such properties"
    )


def _columns(path: Path, extension: str, options: ReadOptions) -> list[str] | None:
    """The columns of a table; none of a file that cannot have any; None where records differ."""
    if extension in TABLES:
        table = table_rows(path, options)
        return None if table is None else table.columns
    return None if extension in LABELS else []


def _listed(names: Any) -> str:
    return ", ".join(repr(name[:40]) for name in list(names)[:30])


def _attached(item: Item, said: Mapping[str, Any], wanted: Descriptors) -> Item:
    cells = {name: said[name] for name in (*wanted.columns, SMILES) if name in said}
    if isinstance(item, Pending):
        return replace(item, make=partial(_make, item.make, cells))
    return item if isinstance(item, Rejected) else replace(item, columns=cells)


def _make(
    make: Callable[[ReadOptions], Structure | Rejected],
    cells: Mapping[str, Any],
    options: ReadOptions,
) -> Structure | Rejected:
    made = make(options)
    return made if isinstance(made, Rejected) else replace(made, columns=cells)
