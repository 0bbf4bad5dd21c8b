"""Attaching the input columns that a model needs to the structures that are read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import chain, repeat
from pathlib import Path
from typing import Any

from ..errors import InputError
from .columns import columns
from .descriptors import SMILES, Descriptors
from .structure import Item, Pending, ReadOptions, Rejected, Structure


def with_columns(items: Iterator[Item], path: Path, options: ReadOptions) -> Iterator[Item]:
    """The records of a file, with the columns that `options.descriptors` names attached.

    Raises InputError for a file that lacks one of these columns.
    """
    wanted = options.descriptors
    if not wanted:
        return items
    names, rows = columns(path, options)
    if lacking := [name for name in wanted.columns if name not in names]:
        raise InputError(
            f"{path}: the model takes the columns {_listed(wanted.columns)}, and the file has no "
            f"{_listed(lacking)} (its columns: {_listed(names) or 'none'}): add these columns."
        )
    both = zip(items, chain(rows, repeat({})), strict=False)
    return (_attached(item, said, wanted) for item, said in both)


def missing_columns(wanted: Descriptors) -> str:
    """The reason for refusing a structure without the columns that the model takes."""
    return (
        f"the model takes the columns {_listed(wanted.columns)}, which this input does not have: "
        "give a .csv file with these, or an .sdf or .extxyz file with such properties"
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(name[:40]) for name in [*names][:30])


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
