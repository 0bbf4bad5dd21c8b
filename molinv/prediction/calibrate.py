"""Make a model's conformal.json: residuals and distances of its validation molecules."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float64, Int64
from rich.console import Console
from rich.progress import track

from ..datasets.batches import Loader
from ..datasets.geometries import EMBEDDED, GIVEN, embedded_copies
from ..datasets.molecules import Molecules
from ..datasets.split import Split
from ..errors import InputError
from ..tasks.errors import Errors, errors_of
from ..training.config import TrainConfig, read_config
from ..training.molecule_data import place
from ..training.saved import Saved, load, sealed, write_json
from ..training.source import prepare
from .applicability_domain import Composition, FeatureSpace
from .conformal import COPIES, FILE, INSIDE, LEVEL, calibrated, quantile
from .orbit_values import orbit_values

MOST = 4000  # validation molecules: a coverage of 90 % is then uncertain by 0.5 %
FITTED = 4000  # training molecules whose features say where the training data lies


class Residuals(NamedTuple):
    """What `errors_of` says of each of m molecules, and distances (m,) or None."""

    values: Float64[np.ndarray, "m t"]
    total: Float64[np.ndarray, "m t"]
    count: Int64[np.ndarray, "m t"]
    entries: Float64[np.ndarray, "m t"]
    distance: Float64[np.ndarray, " m"] | None

    @classmethod
    def of(
        cls,
        batches: Sequence[Errors],
        order: Int64[np.ndarray, " m"] | None = None,
        distance: Float64[np.ndarray, " m"] | None = None,
    ) -> Residuals:
        """All batches' errors, in that order."""
        every = (torch.cat(part).numpy() for part in zip(*batches, strict=True))
        value, total, count, entries = (x if order is None else x[order] for x in every)
        return cls(value, total, count, entries, distance)

    @property
    def mae(self) -> list[float]:
        """Mean absolute error of each target over what there is of it; NaN where nothing is."""
        return mean_absolute(self.total, self.count)


def residuals(
    saved: Saved,
    molecules: Molecules,
    config: TrainConfig,
    chosen: Int64[np.ndarray, " m"],
    copies: int,
    space: FeatureSpace | None = None,
    what: str = "",
) -> Residuals:
    """Of molecules turned once by Haar, then predicted as `predict` does; in their order."""
    store = place(molecules, saved.task, config, "cpu", rotate=True)
    standardizer, values, distances, seen = saved.standardizer, [], [], []
    for batch in _bar(Loader(store, chosen, 128, shuffle=False), what):
        found = orbit_values(saved, batch, copies)
        truth = standardizer.inverse(standardizer(batch.y, batch.z))
        values.append(errors_of(found.mean - truth, standardizer.kind))
        seen.append(batch.index.numpy())
        if space is not None and found.features is not None:
            distances.append(space.distance(found.features).double().numpy())
    order = np.argsort(np.concatenate(seen))[np.argsort(np.argsort(chosen))]
    distance = np.concatenate(distances)[order] if distances else None
    return Residuals.of(values, order, distance)


def mean_absolute(
    total: Float64[np.ndarray, "m t"], count: Int64[np.ndarray, "m t"]
) -> list[float]:
    """Of each target over the values that there are; NaN for one without any."""
    sums = zip(total.sum(0), count.sum(0), strict=True)
    return [float(s / n) if n else float("nan") for s, n in sums]


def calibrate(
    folder: Path,
    saved: Saved,
    molecules: Molecules,
    parts: Split,
    config: TrainConfig,
    kinds: tuple[str, ...] = (GIVEN,),
    embedded: int = 0,
    workers: int = 0,
) -> None:
    """Write conformal.json, and domain.safetensors, into the folder of a model.

    `kinds` says what the data's own geometries are; with `embedded`, so many validation molecules
    that have a SMILES are embedded by RDKit for a second set. Raises InputError where none has.
    """
    if embedded:
        check_embedded(saved)
    composition = Composition.of(molecules, parts.train)
    space = _space(saved, molecules, config, parts.train[:FITTED])
    valid = parts.valid[: config.valid_size][:MOST]
    own = _set(saved, molecules, config, valid, space, "calibrating")
    sets = dict.fromkeys(kinds, own)
    if embedded and EMBEDDED not in kinds:
        copies = embed_some(molecules, parts.valid, embedded, workers)
        every = np.arange(len(copies))
        sets[EMBEDDED] = _set(saved, copies, config, every, space, "calibrating on embedded ones")
    digest = space.save(folder) if space is not None else None
    content = {
        "sha256": saved.card["sha256"],
        "split": parts.hash,
        "level": LEVEL,
        "inside": INSIDE,
        "sets": sets,
        "domain": composition.to_json() | {"sha256": digest},
    }
    write_json(folder / FILE, sealed(content))


def calibrate_run(folder: str | Path, trust: bool = False) -> None:
    """Write a run's conformal.json where it has none of these weights.

    The intervals come from the run's own validation molecules. Raises InputError without a run.
    """
    folder = Path(folder)
    saved = load(folder, trust)
    if calibrated(folder, saved.card) is None:
        config = read_config(folder / "config.yaml")
        source = prepare(config)
        calibrate(folder, saved, source.molecules, source.parts, config, source.kinds)


def check_embedded(saved: Saved) -> None:
    """Raises InputError where the targets are not those of RDKit's geometries."""
    if saved.standardizer.kind != "scalar" or saved.standardizer.forces is not None:
        names = ", ".join(t.name for t in saved.standardizer.targets)
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
    return made


def _set(
    saved: Saved,
    molecules: Molecules,
    config: TrainConfig,
    chosen: np.ndarray,
    space: FeatureSpace | None,
    what: str,
) -> dict[str, Any]:
    names = [t.name for t in saved.standardizer.targets]
    made: dict[str, Any] = {"molecules": len(chosen)}
    for copies in COPIES:
        found = residuals(saved, molecules, config, chosen, copies, space, what)
        halves = [quantile(column, LEVEL) for column in np.abs(found.values).T]
        far = float("inf") if found.distance is None else quantile(found.distance, INSIDE)
        made[str(copies)] = {
            "half": {n: _finite(h) for n, h in zip(names, halves, strict=True)},
            "distance": _finite(far),
        }
    return made


def _space(
    saved: Saved, molecules: Molecules, config: TrainConfig, train: np.ndarray
) -> FeatureSpace | None:
    store, features = place(molecules, saved.task, config, "cpu", rotate=True), []
    for batch in _bar(Loader(store, train, 128, shuffle=False), "features"):
        found = orbit_values(saved, batch, 1).features
        if found is None:
            return None
        features.append(found)
    made = torch.cat(features)
    return FeatureSpace.fit(made) if len(made) > 1 else None


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _bar(batches: Loader, what: str):
    return track(batches, what, console=Console(stderr=True), transient=True, disable=not what)
