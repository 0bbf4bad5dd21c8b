"""Load the data of a run: molecules, their split, and the rows that cannot be used."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int8, Int64

from .. import tasks
from ..atomic import atomic_write
from ..chem.structure import Rejected
from ..datasets import load, planted
from ..datasets.features import XTB
from ..datasets.folds import fold, joined, scaffolds
from ..datasets.geometries import GIVEN, KINDS
from ..datasets.molecules import Molecules, Target
from ..datasets.moments import TARGETS as MOMENTS
from ..datasets.moments import with_moments
from ..datasets.own import OwnData, digest_of, is_own, read_own
from ..datasets.partition import by_column, by_file, by_scaffold, by_time, without_unseen
from ..datasets.ragged import take
from ..datasets.repeats import divided, random_split
from ..datasets.split import Split, split
from ..datasets.units import spelled
from ..errors import InputError, unknown
from .config import TrainConfig, fold_of
from .copies import Copies, geometry_fractions, several, with_small
from .extra_inputs import with_descriptors, with_xtb

FEW = 9  # held-out molecules that a 90 % conformal interval of finite width needs
SPLITS = ("random", "scaffold", "time:COLUMN", "column:NAME", "fold:1/5")


class Source(NamedTuple):
    """The data of a run.

    molecules  all usable molecules
    parts      the split
    rejected   the rows that cannot be used, with reasons
    kinds      the kinds of the geometries
    sha256     digest of a user's file (for several files, of their digests); None for a named data
               set, which checks itself
    notes      sentences on what a user should know about the data
    copies     which of `molecules` are further geometries of the same molecule, if any
    files      the digest of each file, if there are several, by the name of the setting
    """

    molecules: Molecules
    parts: Split
    rejected: list[Rejected]
    kinds: tuple[str, ...]
    sha256: str | None = None
    notes: tuple[str, ...] = ()
    copies: Copies | None = None
    files: dict[str, str] | None = None


def prepare(config: TrainConfig, workers: int = 0, tested: int | None = None) -> Source:
    """Load and split the molecules that `config` names, with its targets and inputs.

    `workers` processes search conformers and compute descriptors and xTB results; 0 does it in
    this process. With `tested`, only so many test molecules get xTB results, and the others stay
    in their parts without. Raises InputError for data, targets, units and a split that do not
    fit each other, and if a target has no value to train or to validate on.
    """
    paths = list(config.files.values())
    for name in paths[is_own(config.data) :]:
        if len(paths) > 1 and not is_own(name):
            raise InputError(
                f"{name} is not a file of molecules such as train.csv, which --data, --valid and "
                "--test expect together."
            )
    if is_own(config.data):
        own = read_own(paths, wanted(config), config.smiles_column, workers, _read_as(config))
        kinds = tuple(k for k in KINDS if (own.kind == k).any())
        apart = len(paths) > 1
        parts, notes, twice = _by_file(config, own) if apart else (*_split_own(config, own), [])
        rejected, notes = [*own.rejected, *twice], (*own.notes, *notes)
        digests = dict(zip(config.files, own.digests, strict=True)) if apart else None
        source = Source(own.molecules, parts, rejected, kinds, own.sha256, notes, files=digests)
        source = with_descriptors(config, source, own.smiles, own.labels, workers)
    else:
        planted.check_center(config.data, config.center)
        loaded = load(config.data)
        _check_auxiliary(config, loaded)
        molecules = with_moments(loaded, config.target_names + _read_beside(config), config.units)
        _check_settings(config, molecules)
        source = Source(molecules, _split(config, molecules), [], (GIVEN,))
        source = with_descriptors(config, source, molecules.smiles, None, workers)
    parts, notes = source.parts, []
    if config.strict_split:
        parts, notes = without_unseen(source.molecules, parts)
    if len(parts.valid) < FEW or len(parts.test) < FEW:
        notes.append(
            f"Only {len(parts.valid)} molecules to validate on and {len(parts.test)} to test on: "
            f"their errors vary from seed to seed, and 90 % intervals of numbers need {FEW}."
        )
    source = source._replace(parts=parts, notes=(*source.notes, *notes))
    _check_values(config, source)
    known, n = source.molecules.extras, len(source.molecules)
    kinds = np.zeros(n, np.uint8) if known.kinds is None else known.kinds
    extras = replace(known, kinds=kinds, state=states(source.molecules))
    source = source._replace(molecules=replace(source.molecules, extras=extras))
    source = _with_geometries(config, source, workers)
    asked = XTB in config.taken or XTB in config.auxiliary_names
    return with_xtb(config, source, workers, tested) if asked else source


def check_readable(config: TrainConfig, workers: int = 0) -> None:
    """Raise InputError if a user's files cannot be read, or lack a target; caches conformers."""
    if is_own(config.data):
        names = list(config.files.values())
        read_own(names, wanted(config), config.smiles_column, workers, _read_as(config))


def _with_geometries(config: TrainConfig, source: Source, workers: int) -> Source:
    """The source with the further geometries and repetitions that the settings ask for."""
    wanted = geometry_fractions(config.geometries)
    if config.small:
        if is_own(config.data):
            raise InputError("small is for named data sets such as qm9: leave it out.")
        source = source._replace(parts=with_small(source.molecules, source.parts, config.small))
    if not wanted and config.conformers == 1 and config.repeat == 1:
        return source
    turns = {t.kind for t in source.molecules.describe(config.target_names)} - {"scalar", "class"}
    several_kinds = bool(wanted) or config.conformers > 1
    if turns or "forces" in config.target_names or (config.auxiliary_names and several_kinds):
        raise InputError(
            "geometries and conformers: these targets and values of atoms belong to the data's own "
            "geometries; leave both out."
        )
    made = several(source, wanted, config.conformers, workers)
    repeated = made.copies is not None and config.small and config.repeat > 1
    if not repeated:
        return made
    assert made.copies is not None
    return made._replace(copies=made.copies._replace(small=config.small, repeat=config.repeat))


def states(molecules: Molecules) -> Int8[np.ndarray, "n 2"]:
    """Charge and number of unpaired electrons of every molecule.

    If unknown, a molecule is taken as neutral with as few unpaired electrons as possible (0 or 1).
    """
    if molecules.extras.state is not None:
        return molecules.extras.state
    electrons = np.add.reduceat(molecules.z.astype(np.int64), molecules.ptr[:-1])
    return np.stack([np.zeros_like(electrons), electrons % 2], 1).astype(np.int8)


def write_rejected(path: Path, rejected: Sequence[Rejected]) -> None:
    """Write the rows that cannot be used, with reasons, as a .csv file; no file without rows."""
    if not rejected:
        return
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["name", "source", "reason"])
        writer.writerows((r.name, r.source, r.reason) for r in rejected)


def write_split(path: Path, molecules: Molecules, parts: Split) -> None:
    """Write the part, id and SMILES of every molecule of the split as a .csv file."""
    every = (("train", parts.train), ("valid", parts.valid), ("test", parts.test))
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["part", "id", "smiles"])
        writer.writerows(
            (name, molecules.ids[i], molecules.smiles[i]) for name, rows in every for i in rows
        )


def file_digest(config: TrainConfig) -> str | None:
    """The digest of a user's files, as in `Source.sha256`; None for a named data set."""
    if not is_own(config.data):
        return None
    paths = [Path(name) for name in config.files.values()]
    return digest_of(paths)[0] if all(path.is_file() for path in paths) else None


def wanted(config: TrainConfig) -> list[Target]:
    """The targets to read from a user's file, as the settings describe them."""
    summed = config.atomwise_names
    units = config.units | dict.fromkeys(_read_beside(config))
    return [Target(n, u or "", "", n in summed) for n, u in units.items()]


def _read_beside(config: TrainConfig) -> list[str]:
    """The auxiliary numbers of atoms that are read from the data."""
    return [name for name in config.auxiliary_names if name != XTB]


def _check_auxiliary(config: TrainConfig, molecules: Molecules) -> None:
    """Raise InputError for an auxiliary name that the molecules do not have."""
    there = (*molecules.targets, *(f.target for f in molecules.fields), *MOMENTS)
    for name in _read_beside(config):
        if name not in [t.name for t in there]:
            numbers = [t.name for t in there if t.kind == "atom scalar"]
            raise unknown("auxiliary", name, [*numbers, XTB])


def _read_as(config: TrainConfig) -> str | None:
    """Whether a file's columns are read as "classes" or "numbers"; None to detect it."""
    if config.task is None:
        return None
    from ..tasks.classes import Classes  # imports torchmetrics, which takes two seconds

    return "classes" if issubclass(tasks.find(config.task), Classes) else "numbers"


def _check_settings(config: TrainConfig, molecules: Molecules) -> None:
    """Raise InputError for settings of users' files that a named data set does not allow."""
    known = [t.name for t in (*molecules.targets, *(f.target for f in molecules.fields))]
    for name in config.target_names:
        if name not in known:
            error = unknown(f"target of {config.data}:", name, known)
            raise InputError(f"{error} To learn from a file of your own, give --data FILE.")
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
    """Split a named data set."""
    size, seed = config.train_size, config.drawn_by
    kind, column = _kind(config)
    if column:
        raise InputError(f"{config.data} has no column {column!r} to split by: choose random.")
    if (found := fold_of(config.split)) is not None:
        groups, what = np.arange(len(molecules)), "molecules"
        if kind == "scaffold":
            groups, what = joined(groups, scaffolds(molecules.smiles)), "scaffolds"
        return fold(groups, *found[:2], size, seed, what)
    if kind == "scaffold":
        return by_scaffold(molecules.smiles, size, seed)
    return split(len(molecules), seed, size)


def _split_own(config: TrainConfig, own: OwnData) -> tuple[Split, list[str]]:
    """Split a user's file; returns notes on molecules that occur more than once, too."""
    size, seed = config.train_size, config.drawn_by
    kind, column = _kind(config)
    values: list[Any] = []
    if column:
        columns = list(dict.fromkeys(name for row in own.labels for name in row))
        if column not in columns:
            raise unknown(f"column of {config.data}:", column, columns)
        values = [row.get(column) for row in own.labels]
    if (found := fold_of(config.split)) is not None:
        groups, what = own.groups, "molecules"
        if kind == "scaffold":
            values, what = scaffolds(own.smiles), "scaffolds"
        if values:
            groups = joined(groups, values)
            what = f"values of {column} without a molecule in common" if column else what
        return fold(groups, *found[:2], size, seed, what), []
    if kind == "random":
        return (random_split if config.strict_split else _plain_split)(own.groups, seed, size)
    if kind == "scaffold":
        return by_scaffold(own.smiles, size, seed), []
    parts = (by_time if kind == "time" else by_column)(values, size, seed)
    note = divided(own.groups, parts)
    return parts, [note] if note else []


def _kind(config: TrainConfig) -> tuple[str, str]:
    """How molecules are split ("random", "scaffold", "time" or "column"), and the column's name.

    Raises InputError for any other split.
    """
    found = fold_of(config.split)
    kind, _, column = (config.split if found is None else found[2]).partition(":")
    named = {"random": False, "scaffold": False, "column": True}
    named |= {"time": True} if found is None else {}
    if named.get(kind) != bool(column):
        raise unknown("split", config.split, SPLITS)
    return kind, column


def _by_file(config: TrainConfig, own: OwnData) -> tuple[Split, list[str], list[Rejected]]:
    """Split by separate files; returns notes, and rows left out because of a later part, too."""
    origin = np.array([{"data": 0, "valid": 1, "test": 2}[part] for part in config.files])
    how = config.strict_split, config.train_size, config.drawn_by
    parts, twice = by_file(origin[own.origin], own.groups, *how)
    names, ids = list(config.files.values()), own.molecules.ids
    dropped = [
        Rejected(
            own.smiles[i] or ids[i],
            ids[i],
            f"the molecule is in {names[own.origin[j]]} too ({ids[j]}): it was left out here; "
            "--strict_split false keeps it",
        )
        for i, j in twice
    ]
    notes = []
    if dropped:
        rows = f"{len(dropped):,} row{'s' if len(dropped) > 1 else ''}"
        notes.append(f"{rows} left out: their molecules are also in a file to validate or test on.")
    if (note := divided(own.groups, parts)) is not None:
        notes.append(note)
    return parts, notes, dropped


def _plain_split(groups: Int64[np.ndarray, " n"], seed: int, size: int | None):
    """A random split of rows, as in molinv 0.1.0: rows of one molecule may be in several parts."""
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
