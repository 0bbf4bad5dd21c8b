"""Make a model's conformal.json: residuals and distances of held-out molecules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64

from ..datasets.batches import OnDevice
from ..datasets.geometries import EMBEDDED, embedded_copies
from ..datasets.molecules import Molecules
from ..errors import InputError
from ..sharing import choose_device
from ..tasks.numbers import Numbers
from ..training.config import TrainConfig, read_config
from ..training.members import load_model
from ..training.saved import Saved, sealed, write_json
from ..training.source import Source, prepare
from .applicability_domain import Composition, FeatureSpace
from .batches import device_of, stored
from .conformal import COPIES, FEWEST, FILE, INSIDE, LEVEL, calibrated, quantile
from .orbit_values import orbit_values
from .residuals import bar, place, residuals

MOST = 4000  # validation molecules: a coverage of 90 % is then uncertain by 0.5 %
FITTED = 4000  # training molecules whose features say where the training data lies


def calibrate(
    folder: Path,
    saved: Saved,
    source: Source,
    config: TrainConfig,
    store: OnDevice | None = None,
    embedded: int = 0,
    workers: int = 0,
) -> None:
    """Write conformal.json, and domain.safetensors, into the folder of a model.

    `store` holds the source's molecules, rotated, where they are placed already. With `embedded`,
    so many molecules to calibrate on that have a SMILES are embedded by RDKit for a second set.
    Raises InputError where none has.
    """
    if embedded:
        check_embedded(saved)
    molecules, parts = source.molecules, source.parts
    store = place(saved, molecules, config, rotate=True) if store is None else store
    space = _space(saved, store, parts.train[:FITTED])
    valid, chose = calibrating(parts.valid, saved.card["molecules"]["valid"])
    own = _set(saved, store, valid[:MOST], space, "calibrating") | {"chosen_on": chose}
    sets = dict.fromkeys(source.kinds, own)
    if embedded and EMBEDDED not in source.kinds:
        copies = embed_some(molecules, valid, embedded, workers)
        some = place(saved, copies, config, rotate=True)
        every = np.arange(len(copies))
        found = _set(saved, some, every, space, "calibrating on embedded ones")
        sets[EMBEDDED] = found | {"chosen_on": chose}
    digest = space.save(folder) if space is not None else None
    content = {
        "sha256": saved.card["sha256"],
        "split": parts.hash,
        "parts": config.parts_by,
        "level": LEVEL,
        "inside": INSIDE,
        "sets": sets,
        "domain": Composition.of(molecules, parts.train).to_json() | {"sha256": digest},
    }
    write_json(folder / FILE, sealed(content))


def calibrating(valid: Int64[np.ndarray, " m"], chose: int) -> tuple[Int64[np.ndarray, " a"], bool]:
    """The validation molecules to calibrate on, and whether these also chose the epoch.

    The first `chose` of the part did. The others are taken where they are enough for an interval.
    """
    rest = valid[chose:]
    return (rest, False) if len(rest) >= FEWEST else (valid, True)


def calibrate_run(
    folder: str | Path, trust: bool = False, device: str = "auto", workers: int = 0
) -> None:
    """Write a run's conformal.json where it has none of these weights.

    The intervals come from validation molecules that did not choose its epoch, where the run held
    some back; `workers` processes search conformers that are not in the cache. Raises InputError
    without a run.
    """
    folder = Path(folder)
    saved = load_model(folder, trust)
    if calibrated(folder, saved.card) is None:
        saved.to(choose_device(device))
        config = read_config(folder / "config.yaml")
        calibrate(folder, saved, prepare(config, workers), config)


def check_embedded(saved: Saved) -> None:
    """Raises InputError where the targets are not those of RDKit's geometries."""
    if saved.task.kind == "scalar" and not isinstance(saved.task, Numbers):
        raise InputError("only numbers have intervals to calibrate: leave out --embedded.")
    if saved.task.kind != "scalar" or saved.task.gradient:
        names = ", ".join(t.name for t in saved.task.predicted)
        raise InputError(
            f"RDKit's geometries lie otherwise than the data's, so that {names} of the data are "
            "not theirs: leave out --embedded."
        )


def embed_some(
    molecules: Molecules, chosen: Int64[np.ndarray, " m"], count: int, workers: int = 0
) -> Molecules:
    """The first `count` of the chosen that have a SMILES, with RDKit's geometries.

    Those that RDKit cannot embed are left out. Raises InputError where none is left.
    """
    some = [int(i) for i in chosen if molecules.smiles[int(i)]][:count]
    made = embedded_copies(molecules, np.array(some, np.int64), workers) if some else None
    if made is None:
        raise InputError(
            "no held-out molecule of the data has a SMILES that RDKit can embed: leave out "
            "--embedded."
        )
    return made[0]


def _set(
    saved: Saved,
    store: OnDevice,
    chosen: Int64[np.ndarray, " m"],
    space: FeatureSpace | None,
    what: str,
) -> dict[str, Any]:
    names, numbers = [t.name for t in saved.task.predicted], isinstance(saved.task, Numbers)
    made: dict[str, Any] = {"molecules": len(chosen)}
    for copies in COPIES:
        found = residuals(saved, store, chosen, copies, space, what)
        halves = [_finite(quantile(column, LEVEL)) for column in np.abs(found.values).T]
        if not numbers:  # an interval says nothing of a probability
            halves = [None] * len(names)
        far = float("inf") if found.distance is None else quantile(found.distance, INSIDE)
        made[str(copies)] = {
            "half": dict(zip(names, halves, strict=True)),
            "distance": _finite(far),
        }
    return made


def _space(saved: Saved, store: OnDevice, train: Int64[np.ndarray, " m"]) -> FeatureSpace | None:
    batches, parts = stored(store, train, device_of(saved.network))
    features = []
    for batch in bar(batches, "features", len(parts)):
        found = orbit_values(saved, batch, 1).features
        if found is None:
            return None
        features.append(found)
    made = torch.cat(features)
    return FeatureSpace.fit(made) if len(made) > 1 else None


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
