"""Write a model's conformal.json from residuals and feature distances of held-out molecules."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Int64

from ..datasets.batches import OnDevice
from ..errors import InputError
from ..sharing import choose_device
from ..tasks.numbers import Numbers
from ..training.config import TrainConfig, read_config
from ..training.members import load_model
from ..training.saved import Saved, sealed, write_json
from ..training.source import Source, prepare
from . import difficulty
from .applicability_domain import Composition, FeatureSpace
from .calibration_sets import Maker, signs_of
from .conformal import FEWEST, FILE, LEVEL, calibrated
from .difficulty import Signs
from .other_geometries import others
from .residuals import place, residuals

MOST = 6000  # most validation molecules; the coverage of 90 % then has an error of 0.4 %
FITTED = 4000  # training molecules that the feature space is fitted to
SMALLEST = 200  # smallest training molecules, which widen the domain's limits


def calibrate(
    folder: Path,
    saved: Saved,
    source: Source,
    config: TrainConfig,
    store: OnDevice | None = None,
    embedded: int = 0,
    workers: int = 0,
) -> None:
    """Write conformal.json and its .safetensors files into a model's folder.

    `store` holds the source's molecules, rotated, if they are on the device already. With
    `embedded`, that many calibration molecules also give a set for each other kind of geometry (see
    `others`); `workers` processes embed them. Raises InputError as `check_embedded` and `others`
    do.
    """
    if embedded:
        check_embedded(saved)
    molecules, parts = source.molecules, source.parts
    store = place(saved, molecules, config, rotate=True) if store is None else store
    composition = Composition.of(molecules, parts.train)
    seen = _signs(saved, store, parts.train[:FITTED], "features")
    x = seen.features
    space = None if x is None or len(x) < 2 else FeatureSpace.fit(x)
    heavy = np.add.reduceat(molecules.z > 1, molecules.ptr[:-1], dtype=int)[parts.train]
    small = parts.train[np.argsort(heavy, kind="stable")[:SMALLEST]]
    maker = Maker(saved, composition, space, _signs(saved, store, small, "small molecules"))
    valid, chose = calibrating(parts.valid, saved.card["molecules"]["valid"])
    used = parts.valid[: len(parts.valid) - len(valid)][:MOST]
    sets = {}
    for kind in source.kinds:
        rows, others_ = (_of_kind(source, part, kind) for part in (valid[:MOST], used))
        if len(source.kinds) == 1 or len(rows) >= FEWEST:
            sets[kind] = maker.set(store, rows, others_, "calibrating")
    if embedded:
        for each in others(saved, source, config, store, valid, embedded, workers):
            what = f"calibrating, {each.kind}"
            sets[each.kind] = maker.set(each.store, each.rows, each.rows[:0], what)
    networks = {kind: made for kind, (_, made) in sets.items() if made is not None}
    digest = space.save(folder) if space is not None else None
    content = {
        "sha256": saved.card["sha256"],
        "split": parts.hash,
        "parts": config.parts_by,
        "level": LEVEL,
        "sets": {kind: made | {"chosen_on": chose} for kind, (made, _) in sets.items()},
        "difficulty": difficulty.save(folder, networks),
        "domain": composition.to_json() | {"sha256": digest},
    }
    write_json(folder / FILE, sealed(content))


def _of_kind(source: Source, rows: Int64[np.ndarray, " m"], kind: str) -> np.ndarray:
    """The rows whose geometry is of this kind."""
    kinds = source.molecules.extras.kinds
    if kinds is None or len(source.kinds) == 1:
        return rows
    return rows[kinds[rows] == KINDS.index(kind)]


def calibrating(valid: Int64[np.ndarray, " m"], chose: int) -> tuple[Int64[np.ndarray, " a"], bool]:
    """The validation molecules to calibrate on, and whether they also chose the epoch.

    The first `chose` validation molecules chose the epoch. The others are used if they are enough
    for an interval, else all.
    """
    rest = valid[chose:]
    return (rest, False) if len(rest) >= FEWEST else (valid, True)


def calibrate_run(
    folder: str | Path, trust: bool = False, device: str = "auto", workers: int = 0
) -> None:
    """Write a run's conformal.json, unless it has one for these weights.

    The intervals come from validation molecules that did not choose the epoch, if the run held some
    out. `workers` processes search conformers that are not in the cache. Raises InputError if there
    is no run.
    """
    folder = Path(folder)
    saved = load_model(folder, trust)
    if calibrated(folder, saved.card) is None:
        saved.to(choose_device(device))
        config = read_config(folder / "config.yaml")
        calibrate(folder, saved, prepare(config, workers), config)


def check_embedded(saved: Saved) -> None:
    """Raises InputError for targets that do not apply to RDKit's geometries."""
    if saved.task.kind == "scalar" and not isinstance(saved.task, Numbers):
        raise InputError("only numbers have intervals to calibrate: leave out --embedded.")
    if saved.task.kind != "scalar" or saved.task.gradient:
        names = ", ".join(t.name for t in saved.task.predicted)
        raise InputError(
            f"RDKit's geometries are oriented differently, so the data's {names} do not apply to "
            "them: leave out --embedded."
        )


def _signs(saved: Saved, store: OnDevice, train: Int64[np.ndarray, " m"], what: str) -> Signs:
    """The signs of training molecules, in one orientation each."""
    return signs_of(residuals(saved, store, train, 1, what))
