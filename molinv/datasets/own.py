"""Read a user's file of molecules with values, as `molinv train --data my.csv` does."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Int8, Int64

from ..chem.structure import KINDS
from ..errors import InputError
from .extras import Extras
from .geometries import EMBEDDED, Geometries, geometries
from .molecules import Molecules, Target
from .oddities import outliers, with_totals
from .own_classes import with_classes
from .own_targets import known, numeric
from .own_values import arrays, field, misfit, numbers
from .repeats import notes_of, same_molecule

if TYPE_CHECKING:
    from ..chem.structure import ReadOptions, Rejected

SUFFIXES = (".csv", ".tsv", ".sdf", ".xyz", ".extxyz", ".db", ".traj")


@dataclass(frozen=True, eq=False)
class OwnData:
    """The n usable molecules of one or several files, and what else the files say of them.

    molecules  with the requested targets, NaN where a value is missing. An id is the line or
               record number, after the path of the file if there are several files
    labels     every value of each record, by column
    kind       the origin of each geometry (see `chem.structure`)
    state      charge and unpaired electrons
    rejected   the records that cannot be used, with reasons
    sha256     the digest of the file; for several files, the digest of their digests
    smiles     the SMILES of each molecule; for an .sdf record without one, that of its bonds
    groups     a number for each molecule, equal for rows of the same molecule
    notes      sentences on what a user should know about the data
    origin     the number of the file that each molecule comes from
    digests    the digest of each file
    """

    molecules: Molecules
    labels: list[dict[str, Any]]
    kind: np.ndarray
    state: Int8[np.ndarray, "n 2"]
    rejected: list[Rejected]
    sha256: str
    smiles: Sequence[str]
    groups: Int64[np.ndarray, " n"]
    notes: tuple[str, ...]
    origin: Int64[np.ndarray, " n"]
    digests: tuple[str, ...]

    @property
    def embedded(self) -> Bool[np.ndarray, " n"]:
        """Whether each geometry came from a conformer search."""
        return self.kind == EMBEDDED


def is_own(name: str | Path) -> bool:
    """Whether a data set's name has a suffix of SUFFIXES, or is an existing file with another."""
    suffix = Path(str(name).lower().removesuffix(".gz")).suffix
    return suffix in SUFFIXES or (bool(suffix) and Path(name).is_file())


def read_own(
    path: str | Path | Sequence[str | Path],
    targets: Sequence[Target] | None = None,
    smiles_column: str | None = None,
    workers: int = 0,
    task: str | None = None,
) -> OwnData:
    """Read the molecules of a file that have a value of at least one target.

    path           a file, or several files with the same targets, which are read as one
    targets        the columns to read; None reads every column of numbers. A target IC50 in nM is
                   the column "IC50 [nM]" if there is one, else "IC50"
    smiles_column  the column of SMILES, if it has an unusual name
    workers        processes that search conformers; 0 searches in this process
    task           "numbers" or "classes". By default columns of text are classes, and columns of
                   0 and 1 are classes if every target can be one

    Conformers of molecules without 3-D coordinates are searched once and cached. A record is left
    out, with its reason, if its molecule cannot be used, if it has no value, or if it has text in
    place of a number. Raises InputError for a file that cannot be read, a target that is missing
    or never a number, and if no molecule is left.
    """
    from ..chem.structure import ReadOptions, Rejected

    paths = [Path(p) for p in ([path] if isinstance(path, str | Path) else path)]
    path, options = paths[0], ReadOptions(smiles_column=smiles_column)
    wanted, said, items, origin = _records(paths, targets, options)
    wanted, said, classed = with_classes(wanted, said, "numbers" if targets is None else task)
    scalars = tuple(t for t in wanted if t.kind in ("scalar", "class"))
    shaped = {t: arrays(said, t) for t in wanted if t not in scalars}
    values, wrong = numbers(path, said, scalars, [found for found, _ in shaped.values()])
    for _, bad in reversed(shaped.values()):
        wrong |= bad
    digest, digests = digest_of(paths)
    found = geometries(items, options, ["file", digest, "kind, state, graph"], workers)
    for k, i in enumerate(found.index.tolist()):
        for target, (given, _) in shaped.items():
            if why := misfit(given[i], target, len(found.structures[k][0])):
                wrong[i] = why
    reasons = wrong | found.rejected
    rejected = [Rejected(items[i].name, items[i].source, why) for i, why in sorted(reasons.items())]
    kept = [k for k, i in enumerate(found.index.tolist()) if i not in wrong]
    if not kept:
        raise InputError(
            f"{path}: none of its {len(items)} molecules can be used; the first, "
            f"{rejected[0].name}: {rejected[0].reason}."
        )
    rows = found.index[kept]
    ids = [items[i].source if len(paths) > 1 else _line(items[i]) for i in rows]
    molecules = _gather(found, kept, said, ids, values[rows], scalars)
    sizes = molecules.sizes
    fields = tuple(field(t, [given[i] for i in rows], sizes) for t, (given, _) in shaped.items())
    molecules, totals = with_totals(replace(molecules, fields=fields))
    numbered = [(int(origin[i]), items[i]) for i in rows]
    smiles, kind = _smiles(paths, molecules, numbered), found.kind[kept]
    groups = same_molecule(molecules, smiles)
    repeats = notes_of(groups, molecules, kind == EMBEDDED)
    notes = (*classed, *totals, *repeats, *outliers(molecules))
    chosen, state = [said[i] for i in rows], found.state[kept]
    numbers_of = np.array([KINDS.index(k) for k in kind], np.uint8)
    extras = Extras(found.graphs.take(np.array(kept)), numbers_of, state)
    molecules = replace(molecules, extras=extras)
    what = molecules, chosen, kind, state, rejected, digest, smiles, groups, notes
    return OwnData(*what, origin=origin[rows], digests=digests)


def digest_of(paths: Sequence[Path]) -> tuple[str, tuple[str, ...]]:
    """The SHA-256 of a file, or of the digests of several files; and the digest of each file."""
    digests = tuple(map(_digest, paths))
    together = hashlib.sha256(" ".join(digests).encode()).hexdigest()
    return digests[0] if len(paths) == 1 else together, digests


def _records(
    paths: Sequence[Path], targets: Sequence[Target] | None, options: ReadOptions
) -> tuple[tuple[Target, ...], list[dict[str, Any]], list[Any], Int64[np.ndarray, " r"]]:
    """The targets, the labels of each record, the records, and the number of each record's file.

    Raises InputError if files differ in the kind or the unit of a target.
    """
    from ..chem.labels import labels
    from ..chem.readers import records

    said: list[dict[str, Any]] = []
    items, origin, first = [], [], None
    for number, path in enumerate(paths):
        if not path.is_file():
            raise InputError(f"no data set at {path}: no such file.")
        rows, found = list(labels(path, options)), list(records([str(path)], options))
        assert len(found) == len(rows)
        asked = first if targets is None else targets
        wanted = numeric(path, rows) if asked is None else known(path, rows, asked)
        for here, there in zip(wanted, first or wanted, strict=True):
            if here != there:
                raise InputError(
                    f"{path} gives {here.name!r} as {_what(here)}, {paths[0]} as {_what(there)}: "
                    "give all files the same columns."
                )
        first = first or wanted
        said, items, origin = [*said, *rows], [*items, *found], [*origin, *[number] * len(rows)]
    assert first is not None
    return first, said, items, np.array(origin, np.int64)


def _what(target: Target) -> str:
    return f"{target.kind} in {target.unit}" if target.unit else target.kind


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _line(item: Any) -> str:
    """A record's line or number in its file."""
    return item.source.rsplit(":", 1)[-1]


def _smiles(
    paths: Sequence[Path], molecules: Molecules, records: Sequence[tuple[int, Any]]
) -> Sequence[str]:
    """A SMILES for each molecule that has one; for an .sdf file it is made from the bonds.

    `records` has the number of each molecule's file, and its record.
    """
    from ..chem.labels import block_smiles

    if all(molecules.smiles[:]) or not any(".sdf" in path.name.lower() for path in paths):
        return molecules.smiles
    every = [list(block_smiles(p)) if ".sdf" in p.name.lower() else [] for p in paths]
    return [
        every[k][int(_line(item)) - 1] if every[k] else molecules.smiles[i]
        for i, (k, item) in enumerate(records)
    ]


def _gather(
    found: Geometries,
    kept: list[int],
    said: list[dict[str, Any]],
    ids: Sequence[str],
    y: np.ndarray,
    targets: tuple[Target, ...],
) -> Molecules:
    rows = found.index[kept]
    made = Molecules.from_arrays(
        [found.structures[k] for k in kept],
        smiles=[_text(said[i], "smiles") for i in rows],
        ids=ids,
    )
    return replace(made, y=y, targets=targets)  # after the checks, which reject missing values


def _text(labels: dict[str, Any], key: str) -> str:
    lower = {k.lower(): v for k, v in labels.items()} | labels
    return str(lower.get(key, ""))
