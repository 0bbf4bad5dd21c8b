"""The data of a run, by its settings: molecules, their parts, and what had to be left out."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Int8, Int64

from .. import tasks
from ..atomic import atomic_write
from ..chem.structure import Rejected
from ..datasets import load, planted
from ..datasets.geometries import GIVEN, KINDS
from ..datasets.molecules import Molecules, Target
from ..datasets.moments import with_moments
from ..datasets.own import OwnData, is_own, read_own
from ..datasets.partition import by_column, by_scaffold, by_time, without_unseen
from ..datasets.ragged import take
from ..datasets.repeats import divided, random_split
from ..datasets.split import Split, split
from ..datasets.units import spelled
from ..errors import InputError, unknown
from ..tasks.classes import Classes
from .config import TrainConfig
from .copies import Copies, geometry_fractions, several, with_small

FEW = 9  # held-out molecules, from which on a 90 % interval has an end
SPLITS = ("random", "scaffold", "time:COLUMN", "column:NAME")


class Source(NamedTuple):
    """Molecules, their parts, the rows that could not be used, and what their geometries are.

    `sha256` is that of a user's file, None for a data set that checks itself. `notes` are
    sentences on what a user should know of the data. `copies` has further geometries of the
    molecules, which are among `molecules` too.
    """

    molecules: Molecules
    parts: Split
    rejected: list[Rejected]
    kinds: tuple[str, ...]
    sha256: str | None = None
    notes: tuple[str, ...] = ()
    copies: Copies | None = None


def prepare(config: TrainConfig, workers: int = 0) -> Source:
    """The molecules that `config` names, with its targets, divided as it says.

    `workers` processes search conformers, where the file has none. Raises InputError for data,
    targets, units and a split that do not fit one another, and where a target has no value to
    train or to validate on.
    """
    if is_own(config.data):
        own = read_own(config.data, wanted(config), config.smiles_column, workers, _read_as(config))
        kinds = tuple(k for k in KINDS if (own.kind == k).any())
        parts, notes = _split_own(config, own)
        notes = (*own.notes, *notes)
        source = Source(own.molecules, parts, own.rejected, kinds, own.sha256, notes)
    else:
        planted.check_center(config.data, config.center)
        molecules = with_moments(load(config.data), config.target_names, config.units)
        _check_settings(config, molecules)
        source = Source(molecules, _split(config, molecules), [], (GIVEN,))
    parts, notes = source.parts, []
    if config.strict_split:
        parts, notes = without_unseen(source.molecules, parts)
    if len(parts.valid) < FEW or len(parts.test) < FEW:
        notes.append(
            f"Only {len(parts.valid)} to validate on and {len(parts.test)} to test: errors of so "
            f"few vary from seed to seed, and 90 % intervals of numbers need {FEW}."
        )
    source = source._replace(parts=parts, notes=(*source.notes, *notes))
    _check_values(config, source)
    known, n = source.molecules.extras, len(source.molecules)
    kinds = np.zeros(n, np.uint8) if known.kinds is None else known.kinds
    extras = replace(known, kinds=kinds, state=states(source.molecules))
    source = source._replace(molecules=replace(source.molecules, extras=extras))
    return _with_geometries(config, source, workers)


def _with_geometries(config: TrainConfig, source: Source, workers: int) -> Source:
    """The source with the geometries and the repetitions that the settings ask for."""
    wanted = geometry_fractions(config.geometries)
    if config.small:
        if is_own(config.data):
            raise InputError("small is for named data sets such as qm9: leave it out.")
        source = source._replace(parts=with_small(source.molecules, source.parts, config.small))
    if not wanted and config.conformers == 1 and config.repeat == 1:
        return source
    turns = {t.kind for t in source.molecules.describe(config.target_names)} - {"scalar", "class"}
    if turns or "forces" in config.target_names:
        raise InputError(
            "geometries and conformers: these targets belong to the data's own geometries: leave "
            "both out."
        )
    made = several(source, wanted, config.conformers, workers)
    repeated = made.copies is not None and config.small and config.repeat > 1
    if not repeated:
        return made
    assert made.copies is not None
    return made._replace(copies=made.copies._replace(small=config.small, repeat=config.repeat))


def states(molecules: Molecules) -> Int8[np.ndarray, "n 2"]:
    """Charge and unpaired electrons of every molecule.

    Where nothing is known, a molecule is neutral with as few unpaired electrons as possible.
    """
    if molecules.extras.state is not None:
        return molecules.extras.state
    electrons = np.add.reduceat(molecules.z.astype(np.int64), molecules.ptr[:-1])
    return np.stack([np.zeros_like(electrons), electrons % 2], 1).astype(np.int8)


def write_rejected(path: Path, rejected: Sequence[Rejected]) -> None:
    """The rows that could not be used, and why, as a .csv file; none where there are none."""
    if not rejected:
        return
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["name", "source", "reason"])
        writer.writerows((r.name, r.source, r.reason) for r in rejected)


def write_split(path: Path, molecules: Molecules, parts: Split) -> None:
    """part, id and smiles of every molecule that is in one of the parts, as a .csv file."""
    every = (("train", parts.train), ("valid", parts.valid), ("test", parts.test))
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["part", "id", "smiles"])
        writer.writerows(
            (name, molecules.ids[i], molecules.smiles[i]) for name, rows in every for i in rows
        )


def wanted(config: TrainConfig) -> list[Target]:
    """The targets of a user's file, as the settings describe them."""
    summed = config.atomwise_names
    return [Target(n, u or "", "", n in summed) for n, u in config.units.items()]


def _read_as(config: TrainConfig) -> str | None:
    """Whether a file's columns are read as "classes" or "numbers"; None: as they look."""
    if config.task is None:
        return None
    return "classes" if issubclass(tasks.find(config.task), Classes) else "numbers"


def _check_settings(config: TrainConfig, molecules: Molecules) -> None:
    """See that what only a user's file leaves open is not asked of a data set."""
    for target in molecules.describe(config.target_names):
        asked = config.units[target.name]
        if asked is not None and spelled(asked) != spelled(target.unit):
            raise InputError(
                f"{config.data} gives {target.name} in {target.unit}, not in {asked}: leave out "
                "the unit."
            )
    for name in ("smiles_column", "atomwise"):
        if getattr(config, name):
            raise InputError(f"{name} is for files of your own, such as .csv: leave it out.")


def _split(config: TrainConfig, molecules: Molecules) -> Split:
    """The parts of a data set."""
    kind, _, column = config.split.partition(":")
    if kind == "random" and not column:
        return split(len(molecules), config.seed, config.train_size)
    if kind == "scaffold" and not column:
        return by_scaffold(molecules.smiles, config.train_size, config.seed)
    if kind not in ("time", "column") or not column:
        raise unknown("split", config.split, SPLITS)
    raise InputError(f"{config.data} has no column {column!r} to split by: choose random.")


def _split_own(config: TrainConfig, own: OwnData) -> tuple[Split, list[str]]:
    """The parts of a user's file, and notes on molecules that occur more than once."""
    kind, _, column = config.split.partition(":")
    size, seed = config.train_size, config.seed
    if kind == "random" and not column:
        return (random_split if config.strict_split else _plain_split)(own.groups, seed, size)
    if kind == "scaffold" and not column:
        return by_scaffold(own.smiles, size, seed), []
    if kind not in ("time", "column") or not column:
        raise unknown("split", config.split, SPLITS)
    columns = list(dict.fromkeys(name for row in own.labels for name in row))
    if column not in columns:
        raise unknown(f"column of {config.data}:", column, columns)
    values = [row.get(column) for row in own.labels]
    parts = (by_time if kind == "time" else by_column)(values, size, seed)
    note = divided(own.groups, parts)
    return parts, [note] if note else []


def _plain_split(groups: Int64[np.ndarray, " n"], seed: int, size: int | None):
    """A random split of rows, whatever molecules they are of, as molinv 0.1.0 made it."""
    return split(len(groups), seed, size), []


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
