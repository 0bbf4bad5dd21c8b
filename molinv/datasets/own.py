"""A user's file of molecules with values: what `molinv train --data my.csv` learns from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError, unknown
from .geometries import Geometries, geometries
from .molecules import Molecules, Target
from .own_values import UNITS, arrays, field, kind_of, misfit, missing, number, numbers

if TYPE_CHECKING:
    from ..chem.structure import Rejected

SUFFIXES = (".csv", ".sdf", ".xyz", ".extxyz", ".db")
RESERVED = {"name", "source", "embedded", "outside", "conformers", "row", "smiles", "error"}
TOTAL = Target("energy", "eV", "total energy", atomwise=True)  # ASE's key, in its unit


@dataclass(frozen=True, eq=False)
class OwnData:
    """The molecules of a file, and what else it says of them.

    `molecules` have the asked targets, NaN where a value is missing, and the line or record as
    their id; `labels` are texts and numbers of each that were asked for (see `read_own`);
    `embedded` says whose geometry came from a conformer search; `sha256` is the file's.
    """

    molecules: Molecules
    labels: list[dict[str, Any]]
    embedded: np.ndarray
    rejected: list[Rejected]
    sha256: str


def is_own(name: str | Path) -> bool:
    """Whether a data set's name is that of such a file."""
    return Path(str(name).lower().removesuffix(".gz")).suffix in SUFFIXES


def read_own(
    path: str | Path,
    targets: Sequence[Target] | None = None,
    smiles_column: str | None = None,
    workers: int = 0,
) -> OwnData:
    """The molecules of a file that have a value of at least one target; None: every number.

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
    items = list(records([str(path)], options))
    said = list(labels(path, options))
    assert len(items) == len(said)
    wanted = _numeric(path, said) if targets is None else _known(path, said, targets)
    scalars = tuple(t for t in wanted if t.kind == "scalar")
    shaped = {t: arrays(said, t) for t in wanted if t.kind != "scalar"}
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
    molecules = replace(molecules, fields=fields)
    return OwnData(molecules, [said[i] for i in rows], found.embedded[kept], rejected, digest)


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
    from ..chem.labels import energy_key

    total = energy_key(path)
    names = [n for n in _columns(said) if n.lower() not in RESERVED]
    found = []
    for name in names:
        given = [row[name] for row in said if not missing(row.get(name))]
        if given and all(number(value) is not None for value in given):
            found.append(TOTAL if name == total else Target(name, ""))
    if not found:
        listed = ", ".join(repr(n[:40]) for n in _columns(said)[:30]) or "nothing"
        raise InputError(
            f"{path}: expected a column of numbers to learn, got {listed} beside the molecules."
        )
    return tuple(found)


def _known(path: Path, said: list[dict[str, Any]], targets: Sequence[Target]) -> tuple[Target, ...]:
    from ..chem.labels import energy_key

    columns, total = _columns(said), energy_key(path)
    for target in targets:
        if target.name not in columns:
            raise unknown(f"target of {path}:", target.name, columns or ["(it has no values)"])
        if target.name.lower() in RESERVED:
            raise InputError(
                f"{path}: a target cannot be called {target.name!r}, as a column of every "
                "prediction is; rename it."
            )
    return tuple(_described(t, said, total) for t in targets)


def _described(target: Target, said: list[dict[str, Any]], total: str | None) -> Target:
    """The target with its kind, and where its name is one of ASE's, its unit."""
    if target.name == total:
        return replace(target, unit=target.unit or TOTAL.unit, atomwise=True)
    kind = kind_of(row.get(target.name) for row in said)
    ase = UNITS.get(target.name, "") if total is not None and kind != "scalar" else ""
    return replace(target, kind=kind, unit=target.unit or ase)


def _columns(said: list[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for row in said for name in row))
