"""Read the values of a user's file: numbers, classes, vectors, tensors and values of atoms."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from ..chem.arrays import ByAtom
from ..errors import InputError, unknown
from .kinds import SHAPES
from .targets import Field, Target

# compared in lower case; those with # are Excel's errors
MISSING = {
    "",
    "nan",
    "-nan",
    "na",
    "n/a",
    "<na>",
    "none",
    "null",
    "nil",
    "-",
    "--",
    "?",
    ".",
    "n.a.",
}
MISSING |= {"#n/a", "#na", "#n/a n/a", "#value!", "#div/0!", "#ref!", "#name?", "#num!", "#null!"}
LARGEST = 1e30  # training is in single precision, and squares and sums must stay below 3e38
MOST_CLASSES = 20
POSITIVE = ("1", "true", "yes", "y", "active", "positive", "pos", "toxic", "+")


def numbers(
    path: Path,
    said: list[dict[str, Any]],
    targets: tuple[Target, ...],
    others: Sequence[Sequence[np.ndarray | None]] = (),
) -> tuple[np.ndarray, dict[int, str]]:
    """The values (records, t) of targets that are numbers, and why some records cannot be used.

    `others` are the values of the other targets; a record needs a value of at least one target.
    Raises InputError if a target has no number in any record.
    """
    y, wrong = np.full((len(said), len(targets)), np.nan), {}
    unfit: dict[str, str] = {}
    for i, row in enumerate(said):
        for j, target in enumerate(targets):
            value = row.get(target.name)
            if missing(value):
                continue
            made = number(value)
            if made is None:
                unfit.setdefault(target.name, f"text such as {str(value)[:40]!r}")
                wrong.setdefault(
                    i, f"expected a number in {target.name!r}, got {str(value)[:40]!r}"
                )
            elif abs(made) > LARGEST:
                unfit[target.name] = f"numbers beyond {LARGEST:g}, which training cannot hold,"
                wrong.setdefault(i, _too_large(target, made))
            else:
                y[i, j] = made
        if np.isnan(y[i]).all() and all(given[i] is None for given in others):
            names = " or ".join(t.name for t in targets) or "the targets"
            wrong.setdefault(i, f"it has no value of {names}")
    for j, target in enumerate(targets):
        if np.isnan(y[:, j]).all():
            what = unfit.get(target.name, "no values")
            comma = ", or write numbers with a decimal point" * ("," in what and "text" in what)
            raise InputError(
                f"{path}: expected numbers in {target.name!r}, got {what} in all of its "
                f"{len(said)} rows; name another target{comma}."
            )
    return y, wrong


def missing(value: Any) -> bool:
    """Whether a value is missing, in one of the spellings that tables use."""
    if isinstance(value, str):
        return value.strip().lower() in MISSING
    return value is None or (isinstance(value, float | np.floating) and bool(np.isnan(value)))


def number(value: Any) -> float | None:
    """The finite number that a value is (an array of one counts); None for anything else."""
    if isinstance(value, np.ndarray) and value.size == 1 and value.dtype.kind in "iuf":
        value = value.item()
    if isinstance(value, bool | np.bool_) or not isinstance(value, str | int | float | np.number):
        return None
    try:
        made = float(value)
    except ValueError:
        return None
    return made if np.isfinite(made) else None


def kind_of(values: Iterable[Any]) -> str:
    """The kind of the first value that is an array; "scalar" if there is none."""
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
    """A target's value in each record (None if missing), and why some values cannot be used."""
    found: list[np.ndarray | None] = []
    wrong: dict[int, str] = {}
    for i, row in enumerate(said):
        value = row.get(target.name)
        made = _array(value)
        shape = None if made is None else made.shape[1:] if target.by_atom else made.shape
        if isinstance(value, ByAtom) == target.by_atom and shape == SHAPES[target.kind]:
            assert made is not None
            finite = bool(np.isfinite(made).all())
            largest = np.abs(made).max(initial=0.0)
            if not finite:
                wrong[i] = f"expected finite numbers in {target.name!r}"
            elif largest > LARGEST:
                wrong[i] = _too_large(target, largest)
            elif target.kind == "tensor" and not np.allclose(made, made.T):
                wrong[i] = f"expected a symmetric tensor in {target.name!r}, got another"
            found.append(made if finite else None)
            continue
        found.append(None)
        if value is not None and not (isinstance(value, str) and not value.strip()):
            what = f"{made.shape} numbers" if made is not None else repr(str(value)[:40])
            article = "an" if target.by_atom else "a"
            wrong[i] = f"expected {article} {target.kind} in {target.name!r}, got {what}"
    return found, wrong


def classes_of(values: Iterable[Any]) -> tuple[str, ...] | None:
    """The distinct classes of a column; None if its values are not classes.

    Classes are 2 to 20 texts, or exactly 0 and 1 in any spelling. Missing values do not count. Of
    two classes the positive one, such as "active", is last. A column with a single class, or with
    text among numbers, has no classes.
    """
    found = {_class(value) for value in values if not missing(value)}
    figures = [number(text) is not None for text in found]
    if not 2 <= len(found) <= MOST_CLASSES or (any(figures) and found != {"0", "1"}):
        return None
    two = len(found) == 2
    return tuple(sorted(found, key=lambda text: (two and text.lower() in POSITIVE, text)))


def class_numbers(values: Sequence[Any], classes: Sequence[str]) -> Float64[np.ndarray, " n"]:
    """The index of each value's class, NaN if missing; raises InputError for an unknown class."""
    index = {name: float(i) for i, name in enumerate(classes)}
    names = [None if missing(value) else _class(value) for value in values]
    for name in names:
        if name is not None and name not in index:
            raise unknown("class", name, list(classes))
    return np.array([np.nan if name is None else index[name] for name in names])


def _class(value: Any) -> str:
    if isinstance(value, bool | np.bool_):
        return str(bool(value)).lower()
    made = number(value)
    return str(value).strip() if made is None else f"{made:g}"


def _too_large(target: Target, value: float) -> str:
    return (
        f"expected {target.name!r} between -{LARGEST:g} and {LARGEST:g}, got {value:g}: give it in "
        "a larger unit, or leave the row out"
    )


def misfit(value: np.ndarray | None, target: Target, atoms: int) -> str | None:
    """Why a value does not fit a molecule with this many atoms; None if it fits."""
    if value is None or not target.by_atom or len(value) == atoms:
        return None
    return f"{target.name!r} has values of {len(value)} atoms, the molecule {atoms}"


def field(
    target: Target, values: Sequence[np.ndarray | None], sizes: Int64[np.ndarray, " n"]
) -> Field:
    """The values of n molecules, with `sizes` atoms, as a field; NaN where a value is missing."""
    shape = SHAPES[target.kind]
    rows = [
        np.full((n, *shape) if target.by_atom else (1, *shape), np.nan)
        if value is None
        else (value if target.by_atom else value[None])
        for value, n in zip(values, sizes, strict=True)
    ]
    return Field(target, np.concatenate(rows))


def _array(value: Any) -> np.ndarray | None:
    """The array of a molecule or of its atoms as float64; None for anything else."""
    if isinstance(value, ByAtom):
        return value.array()
    if isinstance(value, np.ndarray) and value.ndim and value.dtype.kind in "iuf":
        if value.size == 1:  # a scalar, as schnetpack writes it
            return None
        made = value.astype(np.float64)
        return made.reshape(3, 3) if made.shape == (9,) else made
    return None
