"""A user's file of molecules with values: what `molinv train --data my.csv` learns from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int64

from ..errors import InputError, unknown
from .geometries import Geometries, geometries
from .molecules import Molecules, Target
from .oddities import outliers, with_totals
from .own_classes import with_classes
from .own_values import arrays, field, kind_of, misfit, missing, number, numbers
from .repeats import notes_of, same_molecule
from .units import spelled

if TYPE_CHECKING:
    from ..chem.structure import Rejected

SUFFIXES = (".csv", ".tsv", ".sdf", ".xyz", ".extxyz", ".db", ".traj")
RESERVED = {"name", "source", "embedded", "outside", "conformers", "row", "smiles", "error"}
# what follows a target's name in the columns of predictions
ENDS = ("std", "conformer_std", "low", "high", "radius", "mae", "unit", "probability", "class")
ENDS += ("x", "y", "z", *(a + b for a in "xyz" for b in "xyz"))
TOTAL = "energy"  # ASE's key of total energies
FIELDS = ("forces", "dipole", "charges")  # ASE's keys of what is not one number


@dataclass(frozen=True, eq=False)
class OwnData:
    """The molecules of a file, and what else it says of them.

    `molecules` have the asked targets, NaN where a value is missing, and the line or record as
    their id; `labels` are the texts and numbers of each (see `read_own`); `embedded` says whose
    geometry came from a conformer search; `sha256` is the file's. `smiles` are those of the
    file, also of the bonds in an .sdf record; rows of one molecule have the same number in
    `groups`. `notes` are sentences on what a user should know of the data.
    """

    molecules: Molecules
    labels: list[dict[str, Any]]
    embedded: np.ndarray
    rejected: list[Rejected]
    sha256: str
    smiles: Sequence[str]
    groups: Int64[np.ndarray, " n"]
    notes: tuple[str, ...]


def is_own(name: str | Path) -> bool:
    """Whether a data set's name is that of such a file, or of a file that cannot be one."""
    suffix = Path(str(name).lower().removesuffix(".gz")).suffix
    return suffix in SUFFIXES or (bool(suffix) and Path(name).is_file())


def read_own(
    path: str | Path,
    targets: Sequence[Target] | None = None,
    smiles_column: str | None = None,
    workers: int = 0,
    task: str | None = None,
) -> OwnData:
    """The molecules of a file that have a value of at least one target; None: every number.

    A target such as IC50 in nM is the column "IC50 [nM]" where there is one, else "IC50". Columns
    of texts are classes, and so are those of 0 and 1 where all targets can be, unless `task` is
    "numbers".
    Conformers of those without 3-D coordinates are searched once, by `workers` processes, and
    kept in the cache. A molecule that cannot be used, one without values, and one with a text in
    the place of a value are left out, with the reason. Raises InputError for a file that cannot
    be read, a target that it does not have or that is never a number, and where nothing is left.
    """
    from ..chem.labels import labels
    from ..chem.readers import records
    from ..chem.structure import ReadOptions, Rejected

    path, options = Path(path), ReadOptions(smiles_column=smiles_column)
    if not path.is_file():
        raise InputError(f"no data set at {path}: no such file.")
    said = list(labels(path, options))
    items = list(records([str(path)], options))
    assert len(items) == len(said)
    wanted = _numeric(path, said) if targets is None else _known(path, said, targets)
    wanted, said, classed = with_classes(wanted, said, "numbers" if targets is None else task)
    scalars = tuple(t for t in wanted if t.kind in ("scalar", "class"))
    shaped = {t: arrays(said, t) for t in wanted if t not in scalars}
    values, wrong = numbers(path, said, scalars, [found for found, _ in shaped.values()])
    for _, bad in reversed(shaped.values()):
        wrong |= bad
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    found = geometries(items, options, ["file", digest], workers)
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
    molecules = _gather(found, kept, said, items, values[rows], scalars)
    sizes = molecules.sizes
    fields = tuple(field(t, [given[i] for i in rows], sizes) for t, (given, _) in shaped.items())
    molecules, totals = with_totals(replace(molecules, fields=fields))
    smiles, embedded = _smiles(path, molecules), found.embedded[kept]
    groups = same_molecule(molecules, smiles)
    notes = (*classed, *totals, *notes_of(groups, molecules, embedded), *outliers(molecules))
    chosen = [said[i] for i in rows]
    return OwnData(molecules, chosen, embedded, rejected, digest, smiles, groups, notes)


def _smiles(path: Path, molecules: Molecules) -> Sequence[str]:
    """A SMILES for each molecule that has one; an .sdf file has them in its bonds."""
    from ..chem.labels import block_smiles

    if ".sdf" not in path.name.lower() or all(molecules.smiles[:]):
        return molecules.smiles
    every = list(block_smiles(path))
    return [every[int(record) - 1] for record in molecules.ids]


def _gather(
    found: Geometries,
    kept: list[int],
    said: list[dict[str, Any]],
    items: Sequence[Any],
    y: np.ndarray,
    targets: tuple[Target, ...],
) -> Molecules:
    rows = found.index[kept]
    made = Molecules.from_arrays(
        [found.structures[k] for k in kept],
        smiles=[_text(said[i], "smiles") for i in rows],
        ids=[items[i].source.rsplit(":", 1)[-1] for i in rows],
    )
    return replace(made, y=y, targets=targets)  # after the checks, which allow no missing value


def _text(labels: dict[str, Any], key: str) -> str:
    lower = {k.lower(): v for k, v in labels.items()}
    return str(lower.get(key, ""))


def _numeric(path: Path, said: list[dict[str, Any]]) -> tuple[Target, ...]:
    """Every label that is a number wherever it is given."""
    names = [n for n in _columns(said) if n.lower() not in RESERVED]
    found = []
    for name in names:
        given = [row[name] for row in said if not missing(row.get(name))]
        if given and all(number(value) is not None for value in given):
            found.append(Target(name, ""))
    if not found:
        listed = ", ".join(repr(n[:40]) for n in _columns(said)[:30]) or "nothing"
        raise InputError(
            f"{path}: expected a column of numbers to learn, got {listed} beside the molecules."
        )
    return _described(path, said, found)


def _known(path: Path, said: list[dict[str, Any]], targets: Sequence[Target]) -> tuple[Target, ...]:
    columns = _columns(said)
    written = {_bare(column): column for column in columns}
    for target in targets:
        name, column = target.name, written.get(_bare(f"{target.name}[{target.unit}]"))
        if column is not None:  # the unit is a part of the column's name
            for row in said:
                row[name] = row.get(column)
        elif name not in columns:
            raise unknown(f"target of {path}:", name, columns or ["(it has no values)"])
        if name.lower() in RESERVED:
            raise InputError(
                f"{path}: a target cannot be called {name!r}, as a column of every "
                "prediction is; rename it."
            )
        for other in targets:
            if name in [f"{other.name}_{end}" for end in ENDS]:
                raise InputError(
                    f"{path}: predictions of {other.name!r} have a column {name!r} too: rename "
                    "one of these targets, or learn them in two runs."
                )
    return _described(path, said, targets)


def _described(
    path: Path, said: list[dict[str, Any]], targets: Sequence[Target]
) -> tuple[Target, ...]:
    """The targets with their kinds, and units that the file gives or ASE's convention does."""
    from ..chem.labels import units

    given = units(path)
    made = []
    for target in targets:
        kind = kind_of(row.get(target.name) for row in said)
        total = target.name == TOTAL and TOTAL in given and kind == "scalar"
        unit = given.get(target.name, "") if kind != "scalar" or target.name not in FIELDS else ""
        made.append(
            replace(
                target,
                kind=kind,
                unit=spelled(target.unit or unit),
                atomwise=target.atomwise or total,
            )
        )
    return tuple(made)


def _columns(said: list[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for row in said for name in row))


def _bare(name: str) -> str:
    return "".join(name.split())
