"""Splits that are not random: by scaffold, by time, by a column, or by separate files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
from jaxtyping import Int64

from ..errors import InputError
from .molecules import Molecules
from .ragged import take
from .split import FEWEST, Split, permutation, some_groups

PARTS = {
    **dict.fromkeys(("train", "training"), 0),
    **dict.fromkeys(("valid", "validation", "val", "dev"), 1),
    **dict.fromkeys(("test", "testing", "holdout"), 2),
}


def by_scaffold(smiles: Sequence[str], train_size: int | None = None, seed: int = 0) -> Split:
    """Split 80 / 10 / 10 %, with no Bemis-Murcko scaffold in two parts; the same for any seed.

    Scaffolds are taken in the order of their number of molecules. They go into the training part
    while they fit, the first one in any case, and then into valid or test, whichever is smaller.
    Molecules without rings share the empty scaffold. The seed only orders the rows of each part.
    Raises InputError for a molecule without a SMILES, and for too few scaffolds.
    Source: Bemis and Murcko, J. Med. Chem. 39, 2887 (1996).
    """
    groups: dict[str, list[int]] = defaultdict(list)
    for i, text in enumerate(smiles):
        groups[scaffold(text, i)].append(i)
    n = _enough(len(smiles))
    parts: list[list[int]] = [[], [], []]
    most = n - 2 * (n // 10)
    for members in (groups[k] for k in sorted(groups, key=lambda k: (-len(groups[k]), k))):
        if not parts[0] or len(parts[0]) + len(members) <= most:
            parts[0] += members
        else:
            min(parts[1], parts[2], key=len).extend(members)
    return made(parts, train_size, seed, "scaffolds")


def by_time(values: Sequence[Any], train_size: int | None = None, seed: int = 0) -> Split:
    """Train on the oldest 80 %, validate on the next 10 % and test on the newest 10 %.

    `values` are all numbers, or all dates such as 2024-05-31. Raises InputError for anything else.
    """
    order = np.argsort(_times(values), kind="stable").tolist()
    n = _enough(len(order))
    a, b = n - 2 * (n // 10), n - n // 10
    return made([order[:a], order[a:b], order[b:]], train_size, seed, "times")


def by_column(values: Sequence[Any], train_size: int | None = None, seed: int = 0) -> Split:
    """Split as the values say: train, valid or test, or another usual word for one of them.

    If no row is valid, a tenth of the training rows is validated on, drawn with the seed. Raises
    InputError for any other word, and if no row is train or none is test.
    """
    parts: list[list[int]] = [[], [], []]
    for i, value in enumerate(values):
        word = str("" if value is None else value).strip().lower()
        if word not in PARTS:
            raise InputError(
                f"the split column has {word[:40]!r} for molecule {i + 1}: expected train, valid "
                "or test."
            )
        parts[PARTS[word]].append(i)
    if not parts[1]:
        drawn = permutation(len(parts[0]), seed)
        held = set(drawn[: len(drawn) // 10].tolist())
        parts[1] = [i for k, i in enumerate(parts[0]) if k in held]
        parts[0] = [i for k, i in enumerate(parts[0]) if k not in held]
    return made(parts, train_size, seed, "the split column's words")


def by_file(
    origin: Int64[np.ndarray, " n"],
    groups: Int64[np.ndarray, " n"],
    strict: bool = True,
    train_size: int | None = None,
    seed: int = 0,
) -> tuple[Split, list[tuple[int, int]]]:
    """Split rows by their file: `origin` is 0 to train on, 1 to validate on and 2 to test on.

    If no row has origin 1, whole `groups` with about a tenth of the training rows are validated
    on, drawn with the seed. With `strict`, a row is left out if a later part has a row of the same
    group. Returns the split, and pairs of each left-out row and a row of that later part. Raises
    InputError if a part would be empty.
    """
    last, shown = np.full(groups.max() + 1, -1), np.zeros(groups.max() + 1, np.int64)
    for part in range(3):
        rows = np.flatnonzero(origin == part)[::-1]  # reversed, so that the first row is kept
        last[groups[rows]], shown[groups[rows]] = part, rows
    out = (origin < last[groups]) & strict
    twice = [(int(i), int(shown[groups[i]])) for i in np.flatnonzero(out)]
    parts = [np.flatnonzero((origin == part) & ~out).tolist() for part in range(3)]
    if not (origin == 1).any():
        rows = np.array(parts[0], np.int64)
        held = some_groups(groups[rows], len(rows) // 10, seed)
        parts[:2] = rows[~held].tolist(), rows[held].tolist()
    what = "the files, without unusable and repeated rows,"
    return made(parts, train_size, seed, what, "give others"), twice


def without_unseen(molecules: Molecules, parts: Split) -> tuple[Split, list[str]]:
    """Leave out held-out molecules with an element that no training molecule has.

    Returns the remaining parts, and notes on what was left out. Raises InputError if a part would
    be empty.
    """

    def atoms(part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        index, ptr = take(molecules.ptr, part)
        return molecules.z[index], ptr

    seen = np.zeros(256, bool)
    seen[atoms(parts.train)[0]] = True
    kept, notes = [], []
    for part, name in ((parts.valid, "validation"), (parts.test, "test")):
        z, ptr = atoms(part)
        known = np.logical_and.reduceat(seen[z], ptr[:-1]) if len(part) else np.ones(0, bool)
        kept.append(part[known])
        if (count := int((~known).sum())) == 0:
            continue
        from rdkit import Chem

        table = Chem.GetPeriodicTable()
        new = ", ".join(table.GetElementSymbol(int(k)) for k in np.unique(z[~seen[z]]))
        what = f"{count:,} molecule{'s' if count > 1 else ''} with {new}"
        if not len(kept[-1]):
            raise InputError(
                f"the {name} part has only {what}, which no training molecule has: choose "
                "another --split or --seed."
            )
        notes.append(f"{what} left out of the {name} part: no training molecule has {new}.")
    return (Split(parts.train, *kept), notes) if notes else (parts, [])


def scaffold(smiles: str, index: int) -> str:
    """The Bemis-Murcko scaffold of molecule `index`; raises InputError if it has no SMILES."""
    from rdkit.Chem.Scaffolds import MurckoScaffold

    from ..chem.conformers import parse_smiles

    if not smiles:
        raise InputError(
            f"molecule {index + 1} has no SMILES, which a scaffold split needs: choose --split "
            "random."
        )
    return MurckoScaffold.MurckoScaffoldSmiles(mol=parse_smiles(smiles), includeChirality=False)


def _times(values: Sequence[Any]) -> np.ndarray:
    texts = ["" if v is None else str(v).strip() for v in values]
    for kind in (float, lambda text: datetime.fromisoformat(text).timestamp()):
        try:
            found = np.array([kind(text) for text in texts])
        except ValueError:
            continue
        if np.isfinite(found).all():
            return found
    odd = next((t for t in texts if not t), texts[0])
    raise InputError(
        f"expected numbers or dates such as 2024-05-31 to split by time, got {odd[:40]!r}."
    )


def _enough(n: int) -> int:
    if n < FEWEST:
        raise InputError(
            f"expected at least {FEWEST} molecules to split into three parts, got {n}."
        )
    return n


def made(
    parts: list[list[int]],
    train_size: int | None,
    seed: int,
    what: str,
    advice: str = "choose another --split",
) -> Split:
    """Make a split of three lists of rows, each shuffled with the seed.

    Keeps the first `train_size` training rows, or all if None. Raises InputError for an empty
    part, and for a `train_size` out of range; `what` and `advice` are used in the message.
    """
    for part, name in zip(parts, ("train on", "validate on", "test"), strict=True):
        if not part:
            raise InputError(f"{what} leave no molecule to {name}: {advice}.")
    train, valid, test = (np.array(part, np.int64) for part in parts)
    size = len(train) if train_size is None else train_size
    if not 1 <= size <= len(train):
        raise InputError(f"expected a train_size from 1 to {len(train):,}, got {size:,}.")
    # shuffled, because `train_size` and `valid_size` keep the first rows
    train, valid, test = (x[permutation(len(x), seed)] for x in (train, valid, test))
    return Split(train[:size], valid, test)
