"""The values of a user's file: numbers, and vectors, tensors and values of atoms as fields."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64

from ..chem.arrays import ByAtom
from ..errors import InputError
from .kinds import SHAPES
from .targets import Field, Target

MISSING = {"", "nan", "na", "n/a", "none", "null", "-", "?"}  # in any case
UNITS = {"forces": "eV/angstrom", "dipole": "e angstrom", "charges": "e"}  # ASE's, by its keys


def numbers(
    path: Path,
    said: list[dict[str, Any]],
    targets: tuple[Target, ...],
    others: Sequence[Sequence[np.ndarray | None]] = (),
) -> tuple[np.ndarray, dict[int, str]]:
    """The numbers' values (records, t), and why some records cannot be used.

    `others` are the values of targets that are no numbers, of which one is enough as well.
    """
    y, wrong = np.full((len(said), len(targets)), np.nan), {}
    texts: Counter[str] = Counter()
    for i, row in enumerate(said):
        for j, target in enumerate(targets):
            value = row.get(target.name)
            if missing(value):
                continue
            made = number(value)
            if made is None:
                texts[target.name] += 1
                wrong.setdefault(
                    i, f"expected a number in {target.name!r}, got {str(value)[:40]!r}"
                )
            else:
                y[i, j] = made
        if np.isnan(y[i]).all() and all(given[i] is None for given in others):
            names = " or ".join(t.name for t in targets) or "the targets"
            wrong.setdefault(i, f"it has no value of {names}")
    for j, target in enumerate(targets):
        if np.isnan(y[:, j]).all():
            what = "text" if texts[target.name] else "no values"
            raise InputError(
                f"{path}: expected numbers in {target.name!r}, got {what} in all of its "
                f"{len(said)} rows; name another target."
            )
    return y, wrong


def missing(value: Any) -> bool:
    """Whether there is no value, in one of the ways that tables say so."""
    return value is None or (isinstance(value, str) and value.strip().lower() in MISSING)


def number(value: Any) -> float | None:
    """A finite number, None for anything else."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, str | int | float | np.number):
        return None
    try:
        made = float(value)
    except ValueError:
        return None
    return made if np.isfinite(made) else None


def kind_of(values: Iterable[Any]) -> str:
    """The kind of the first of these that is an array; scalar where none is."""
    for value in values:
        if (found := _array(value)) is None:
            continue
        by_atom = isinstance(value, ByAtom)
        shape = found.shape[1:] if by_atom else found.shape
        for kind, each in SHAPES.items():
            if shape == each and kind.startswith("atom") == by_atom:
                return kind
    return "scalar"


def arrays(
    said: Sequence[dict[str, Any]], target: Target
) -> tuple[list[np.ndarray | None], dict[int, str]]:
    """A target's value in each record, None where there is none, and what cannot be one."""
    found: list[np.ndarray | None] = []
    wrong: dict[int, str] = {}
    for i, row in enumerate(said):
        value = row.get(target.name)
        made = _array(value)
        shape = None if made is None else made.shape[1:] if target.by_atom else made.shape
        if isinstance(value, ByAtom) == target.by_atom and shape == SHAPES[target.kind]:
            assert made is not None
            finite = bool(np.isfinite(made).all())
            if not finite:
                wrong[i] = f"expected finite numbers in {target.name!r}"
            elif target.kind == "tensor" and not np.allclose(made, made.T):
                wrong[i] = f"expected a symmetric tensor in {target.name!r}, got another"
            found.append(made if finite else None)
            continue
        found.append(None)
        if value is not None and not (isinstance(value, str) and not value.strip()):
            what = f"{made.shape} numbers" if made is not None else repr(str(value)[:40])
            wrong[i] = f"expected a {target.kind} in {target.name!r}, got {what}"
    return found, wrong


def misfit(value: np.ndarray | None, target: Target, atoms: int) -> str | None:
    """Why a value is not one of a molecule with so many atoms, or None."""
    if value is None or not target.by_atom or len(value) == atoms:
        return None
    return f"{target.name!r} has values of {len(value)} atoms, the molecule {atoms}"


def field(
    target: Target, values: Sequence[np.ndarray | None], sizes: Int64[np.ndarray, " n"]
) -> Field:
    """The values of n molecules as a field; NaN where one is missing."""
    shape = SHAPES[target.kind]
    rows = [
        np.full((n, *shape) if target.by_atom else (1, *shape), np.nan)
        if value is None
        else (value if target.by_atom else value[None])
        for value, n in zip(values, sizes, strict=True)
    ]
    return Field(target, np.concatenate(rows))


def _array(value: Any) -> np.ndarray | None:
    """Numbers of one molecule or of its atoms as float64, None for anything else."""
    if isinstance(value, ByAtom):
        return value.array()
    if isinstance(value, np.ndarray) and value.ndim and value.dtype.kind in "iuf":
        made = value.astype(np.float64)
        return made.reshape(3, 3) if made.shape == (9,) else made
    return None
