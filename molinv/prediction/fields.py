"""Output columns for numbers, classes, vectors, tensors and values per atom."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any

import numpy as np

from ..actions.irreps import Irreps
from ..chem.structure import Structure
from ..datasets.kinds import Kinds
from ..datasets.targets import Target
from ..errors import InputError

# for each kind of target: the ending of each column's name, and its index into the value
ENDS = Kinds[tuple[tuple[str, tuple[int, ...]], ...]](
    {
        "scalar": (("", ()),),
        "vector": tuple((f"_{a}", (i,)) for i, a in enumerate("xyz")),
        "tensor": tuple((f"_{'xyz'[i]}{'xyz'[j]}", (i, j)) for i in range(3) for j in range(i, 3)),
    },
    lambda irreps: tuple((f"_{i}", (i,)) for i in range(Irreps(irreps).dim)),
)


def deviation(std: np.ndarray, by_atom: bool) -> np.ndarray:
    """Deviation of a whole vector or tensor (t,), from those of its entries (t, *e).

    The square root of the sum of squares. Values per atom give the root mean square over atoms.
    """
    total = np.square(std).reshape(len(std), -1).sum(1)
    return np.sqrt(total / std.shape[1] if by_atom else total)


def check_one_geometry(structures: Sequence[Structure], targets: Sequence[Target]) -> None:
    """Raises InputError for several conformers: a target that rotates has no mean over them."""
    if any(s.conformers > 1 for s in structures):
        names = ", ".join(t.name for t in targets)
        raise InputError(
            f"values that belong to one geometry ({names}) cannot be averaged over conformers: "
            "leave out --conformers."
        )


def columns(
    target: Target,
    value: np.ndarray,
    std: float | None = None,
    ends: tuple[float, float] | None = None,
    mae: float | None = None,
    spread: float | None = None,
    members: Any = None,
) -> dict[str, Any]:
    """The columns of one target in a molecule's row.

    Vectors have the columns `_x`, `_y`, `_z`, tensors `_xx` to `_zz`, and irreps `_0`, `_1`, ... in
    e3nn's order, all in the input's orientation. Values per atom are a list in one column. The next
    columns are `_std`, `_ensemble_std`, `_conformer_std`, the 90 % interval, `_mae` and `_unit`.

    The interval of a number is `_low` and `_high`; `_low` is at least the target's `least`. The
    interval of any other kind is `_radius`: the true value, for each atom its own, is within that
    distance. `ends` are relative to the value; an infinite or NaN end gives an empty cell.

    `std`, `ends`, `mae`, `spread` (over conformers) and `members` (over an ensemble) may be None if
    they are not known.
    """
    if target.kind == "class":
        return class_columns(target, value, std, spread, members)
    name, row = target.name, dict[str, Any]()
    if target.by_atom:
        row[name] = value.tolist()
    else:
        row |= {f"{name}{end}": float(value[at]) for end, at in ENDS[target.kind]}
    if std is not None:
        row[f"{name}_std"] = std
    if members is not None:
        row[f"{name}_ensemble_std"] = float(members)
    if spread is not None:
        row[f"{name}_conformer_std"] = spread
    if ends is not None and target.kind == "scalar":
        for name_of, end in zip(("low", "high"), ends, strict=True):
            row[f"{name}_{name_of}"] = (
                float(bounded(target, row[name] + end)) if isfinite(end) else None
            )
    elif ends is not None:
        row[f"{name}_radius"] = ends[1] if isfinite(ends[1]) else None
    if mae is not None:
        row[f"{name}_mae"] = mae
    return row | {f"{name}_unit": target.unit}


def bounded(target: Target, value: Any) -> Any:
    """A number or an array, clipped to the smallest possible value of the target."""
    return value if target.least is None else np.maximum(value, target.least)


def class_columns(
    target: Target, p: np.ndarray, std: Any = None, spread: Any = None, members: Any = None
) -> dict[str, Any]:
    """The columns of class probabilities (c,).

    The first column is a probability: of the second of two classes, else of the likeliest class.
    The next ones are `_class` (the likeliest), one probability per class if there are more than
    two, `_std`, `_ensemble_std`, `_conformer_std`, and `_unit`, which names the class of the
    probability.
    """
    name, classes = target.name, target.classes
    best = max(range(len(classes)), key=lambda k: p[k])
    k = 1 if len(classes) == 2 else best
    row: dict[str, Any] = {name: float(p[k]), f"{name}_class": classes[best]}
    if len(classes) > 2:
        row |= {f"{name}_{c}": float(p[i]) for i, c in enumerate(classes)}
    for end, each in (("std", std), ("ensemble_std", members), ("conformer_std", spread)):
        row |= {} if each is None else {f"{name}_{end}": float(each[k])}
    return row | {f"{name}_unit": unit_of(target)}


def class_ends(target: Target) -> list[str]:
    """The endings of a class target's numeric columns."""
    return ["", *(f"_{c}" for c in target.classes if len(target.classes) > 2), "_std"]


def unit_of(target: Target) -> str:
    """The target's unit; for classes, whose probability the value is."""
    if target.kind != "class":
        return target.unit
    return f"probability of {target.classes[1]}" if len(target.classes) == 2 else "probability"
