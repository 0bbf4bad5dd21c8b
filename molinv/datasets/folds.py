"""k-fold cross-validation: the test molecules of each fold, the same on every machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Int64

from ..errors import InputError
from .partition import made, scaffold
from .split import Split, permutation, some_groups


def fold(
    groups: Int64[np.ndarray, " n"],
    number: int,
    count: int,
    train_size: int | None = None,
    seed: int = 0,
    what: str = "molecules",
) -> Split:
    """The split that tests on fold `number` (from 1 to `count`).

    A tenth of all rows is validated on, the rest is trained on. All rows of a group are in one
    fold and in one part. Error messages call the groups `what`. Raises InputError for a number
    that is not a fold, and if there are fewer groups than parts to fill.
    """
    if not 1 <= number <= count or count < 2:
        raise InputError(
            f"expected a fold from 1 to the number of folds, 2 or more, got {number}/{count}."
        )
    if (most := len(np.unique(groups))) < max(count, 3):
        raise InputError(
            f"expected at least {max(count, 3)} different {what} for {count} folds, got {most}: "
            "take fewer --folds."
        )
    found = assigned(groups, count, seed)
    test, rest = np.flatnonzero(found == number - 1), np.flatnonzero(found != number - 1)
    held = some_groups(groups[rest], max(1, len(groups) // 10), seed)
    parts = [rest[~held].tolist(), rest[held].tolist(), test.tolist()]
    return made(parts, train_size, seed, f"folds by {what}", "take another --seed")


def assigned(groups: Int64[np.ndarray, " n"], count: int, seed: int = 0) -> Int64[np.ndarray, " n"]:
    """The fold of each row, from 0. All rows of a group are in one fold.

    Each group goes to the fold that is smallest so far, the largest groups first; the seed decides
    the order of groups of equal size. This makes the folds nearly equal in size.
    """
    names, of, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order = permutation(len(names), seed)
    order = order[np.argsort(-sizes[order], kind="stable")]
    filled, places = np.zeros(count, np.int64), np.zeros(len(names), np.int64)
    for group in order:
        places[group] = filled.argmin()
        filled[places[group]] += sizes[group]
    return places[of]


def joined(groups: Int64[np.ndarray, " n"], labels: Sequence[Any]) -> Int64[np.ndarray, " n"]:
    """Groups of rows that share a group or a label, directly or through other rows."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n, labelled = len(groups), np.unique(np.array([str(v) for v in labels]), return_inverse=True)[1]
    ends = np.concatenate([groups, groups.max() + 1 + labelled])
    rows = np.tile(np.arange(n), 2)
    size = n + int(ends.max()) + 1
    links = coo_array((np.ones(2 * n), (rows, n + ends)), shape=(size, size))
    return connected_components(links, directed=False)[1][:n].astype(np.int64)


def scaffolds(smiles: Sequence[str]) -> list[str]:
    """The Bemis-Murcko scaffold of each SMILES; raises InputError for an empty SMILES."""
    return [scaffold(text, i) for i, text in enumerate(smiles)]
