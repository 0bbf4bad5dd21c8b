"""The data of a run, by its settings: molecules, their parts, and what had to be left out."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..atomic import atomic_write
from ..chem.structure import Rejected
from ..datasets import load, planted
from ..datasets.geometries import EMBEDDED, GIVEN
from ..datasets.molecules import Molecules, Target
from ..datasets.moments import with_moments
from ..datasets.own import is_own, read_own
from ..datasets.partition import by_column, by_scaffold, by_time
from ..datasets.ragged import take
from ..datasets.split import Split, split
from ..errors import InputError, unknown
from .config import TrainConfig

SPLITS = ("random", "scaffold", "time:COLUMN", "column:NAME")


class Source(NamedTuple):
    """Molecules, their parts, the rows that could not be used, and what their geometries are.

    `sha256` is that of a user's file, None for a data set that checks itself.
    """

    molecules: Molecules
    parts: Split
    rejected: list[Rejected]
    kinds: tuple[str, ...]
    sha256: str | None = None


def prepare(config: TrainConfig, workers: int = 0) -> Source:
    """The molecules that `config` names, with its targets, divided as it says.

    `workers` processes search conformers, where the file has none. Raises InputError for data,
    targets, units and a split that do not fit one another, and where a target has no value to
    train or to validate on.
    """
    if is_own(config.data):
        own = read_own(config.data, wanted(config), config.smiles_column, workers)
        kinds = tuple(k for k, e in ((GIVEN, False), (EMBEDDED, True)) if (own.embedded == e).any())
        parts = _split(config, own.molecules, own.labels, Path(config.data))
        source = Source(own.molecules, parts, own.rejected, kinds, own.sha256)
    else:
        planted.check_center(config.data, config.center)
        molecules = with_moments(load(config.data), config.target_names, config.units)
        _check_settings(config, molecules)
        source = Source(molecules, _split(config, molecules, None, None), [], (GIVEN,))
    _check_values(config, source)
    return source


def write_rejected(path: Path, rejected: Sequence[Rejected]) -> None:
    """The rows that could not be used, and why, as a .csv file; none where there are none."""
    if not rejected:
        return
    with atomic_write(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["name", "source", "reason"])
        writer.writerows((r.name, r.source, r.reason) for r in rejected)


def wanted(config: TrainConfig) -> list[Target]:
    """The targets of a user's file, as the settings describe them."""
    summed = config.atomwise_names
    return [Target(n, u or "", "", n in summed) for n, u in config.units.items()]


def _check_settings(config: TrainConfig, molecules: Molecules) -> None:
    """See that what only a user's file leaves open is not asked of a data set."""
    for target in molecules.describe(config.target_names):
        asked = config.units[target.name]
        if asked not in (None, target.unit):
            raise InputError(
                f"{config.data} gives {target.name} in {target.unit}, not in {asked}: leave out "
                "the unit."
            )
    for name in ("smiles_column", "atomwise"):
        if getattr(config, name):
            raise InputError(f"{name} is for files of your own, such as .csv: leave it out.")


def _split(
    config: TrainConfig,
    molecules: Molecules,
    labels: list[dict[str, Any]] | None,
    path: Path | None,
) -> Split:
    kind, _, column = config.split.partition(":")
    size, seed = config.train_size, config.seed
    if kind == "random" and not column:
        return split(len(molecules), seed, size)
    if kind == "scaffold" and not column:
        return by_scaffold(_smiles(molecules, path), size, seed)
    if kind not in ("time", "column") or not column:
        raise unknown("split", config.split, SPLITS)
    if labels is None or path is None:
        raise InputError(f"{config.data} has no column {column!r} to split by: choose random.")
    columns = list(dict.fromkeys(name for row in labels for name in row))
    if column not in columns:
        raise unknown(f"column of {path}:", column, columns)
    values = [row.get(column) for row in labels]
    return (by_time if kind == "time" else by_column)(values, size, seed)


def _smiles(molecules: Molecules, path: Path | None) -> Sequence[str]:
    """A SMILES for each molecule; an .sdf file has them in its bonds."""
    from ..chem.labels import block_smiles

    if path is None or ".sdf" not in path.suffixes or all(molecules.smiles[:]):
        return molecules.smiles
    every = list(block_smiles(path))
    return [every[int(record) - 1] for record in molecules.ids]


def _check_values(config: TrainConfig, source: Source) -> None:
    molecules = source.molecules
    for name in config.target_names:
        y, by_atom = molecules.values([name]), molecules.describe([name])[0].by_atom
        for part, what in ((source.parts.train, "train"), (source.parts.valid, "validate")):
            rows = take(molecules.ptr, part)[0] if by_atom else part
            if np.isnan(y[rows]).all():
                raise InputError(
                    f"the target {name!r} has no value among the {len(part)} molecules to {what} "
                    "on: choose another --split or --seed, or leave it out."
                )
