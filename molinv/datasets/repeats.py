"""Find molecules that occur in several rows of a file, and keep their rows in one part."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Int64

from .molecules import Molecules
from .split import FEWEST, Split, split, split_groups

BONDED, APART = 1.25, 1.8  # distances of two atoms, over the sum of their covalent radii


def same_molecule(molecules: Molecules, smiles: Sequence[str]) -> Int64[np.ndarray, " n"]:
    """A number for each row, equal for rows of the same molecule.

    Rows with a SMILES are the same molecule if RDKit's canonical SMILES are equal. Rows without
    are frames: consecutive frames are the same molecule (a trajectory) if they have the same
    elements in the same order, and bonds between the same atoms.
    """
    numbers: dict[str, int] = {}
    found = np.zeros(len(molecules), np.int64)
    for i, text in enumerate(smiles):
        if text:
            key = _canonical(text)
        elif i and not smiles[i - 1] and _follows(molecules, i):
            found[i] = found[i - 1]
            continue
        else:
            key = f"frame {i}"  # cannot equal a SMILES, which has no spaces
        found[i] = numbers.setdefault(key, len(numbers))
    return found


def notes_of(
    groups: Int64[np.ndarray, " n"], molecules: Molecules, embedded: Bool[np.ndarray, " n"]
) -> list[str]:
    """Sentences on repeated molecules: how many there are, and how much their values differ.

    `embedded` says which geometries came from a conformer search.
    """
    counts = np.bincount(groups)
    if (many := counts > 1).sum() == 0:
        return []
    said = [
        f"{many.sum():,} molecule{'s occur' if many.sum() > 1 else ' occurs'} more than once "
        f"({counts[many].sum():,} rows in all)."
    ]
    for j, target in enumerate(molecules.targets):
        # embedded rows of a molecule have the same geometry, so their values should be equal
        rows = np.flatnonzero(embedded & ~np.isnan(molecules.y[:, j]) & many[groups])
        rows = rows[np.lexsort((molecules.y[rows, j], groups[rows]))]
        of, y = groups[rows], molecules.y[rows, j]
        starts = np.flatnonzero(np.diff(of, prepend=-1))
        ends = np.append(starts[1:], len(rows)) - 1
        spread = y[ends] - y[starts] if len(rows) else np.zeros(1)
        if spread.max() > 0:
            k = int(spread.argmax())
            low, high = (molecules.ids[int(rows[at[k]])] for at in (starts, ends))
            said.append(
                f"Molecules with rows that differ in {target.name!r}: {(spread > 0).sum():,}, "
                f"by up to {spread[k]:.6g} (rows {low} and {high})."
            )
    return said


def random_split(
    groups: Int64[np.ndarray, " n"], seed: int = 0, train_size: int | None = None
) -> tuple[Split, list[str]]:
    """A random split and notes on it.

    The rows of a molecule are in one part, unless there are too few different molecules.
    """
    count = len(np.unique(groups))
    if count >= FEWEST:
        note = "A random split keeps all rows of a molecule in one part."
        return split_groups(groups, seed, train_size), [note] if count < len(groups) else []
    parts = split(len(groups), seed, train_size)
    return parts, [
        f"There are only {count:,} different molecules, too few to keep the rows of each in one "
        "part: held-out rows are of molecules that are also trained on."
    ]


def divided(groups: Int64[np.ndarray, " n"], parts: Split) -> str | None:
    """A sentence on the molecules with rows in several parts; None if there are none."""
    sets = [set(groups[part].tolist()) for part in (parts.train, parts.valid, parts.test)]
    count = len((sets[0] & sets[1]) | (sets[0] & sets[2]) | (sets[1] & sets[2]))
    if not count:
        return None
    return (
        f"{count:,} of the molecules that occur more than once stand in several parts of the "
        "split: errors on held-out rows say less about new molecules."
    )


def _follows(molecules: Molecules, i: int) -> bool:
    """Whether molecule i has the elements of molecule i - 1, in the same order, and its bonds.

    Two atoms that are within BONDED in one of them must be within APART in the other.
    """
    from ase.data import covalent_radii

    start, middle, end = molecules.ptr[i - 1 : i + 2]
    z = molecules.z[middle:end]
    if not np.array_equal(molecules.z[start:middle], z):
        return False
    bond = covalent_radii[z][:, None] + covalent_radii[z]
    one, other = (
        np.linalg.norm(pos[:, None] - pos, axis=-1) / bond
        for pos in (molecules.pos[start:middle], molecules.pos[middle:end])
    )
    return not ((np.minimum(one, other) < BONDED) & (np.maximum(one, other) > APART)).any()


def _canonical(smiles: str) -> str:
    from ..chem.conformers import parse_smiles
    from ..errors import InputError

    try:
        mol = parse_smiles(smiles)
    except InputError:  # text beside a 3-D structure that is not a SMILES
        return smiles
    from rdkit import Chem

    return Chem.MolToSmiles(mol)
