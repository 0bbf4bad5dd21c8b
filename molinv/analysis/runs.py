"""A run of `molinv train`, or a shipped model, as a subject, with its untouched test molecules."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..chem.structure import Rejected, Structure
from ..datasets.batches import Batch
from ..datasets.features import Features
from ..errors import InputError
from ..prediction.batches import asked, feature_store
from ..prediction.fields import unit_of
from ..pretrained import locate, shipped_name
from ..tasks.classes import Classes
from ..training.config import TrainConfig, read_config
from ..training.molecule_data import place
from ..training.saved import Saved
from ..training.saved import load_molecules as load_saved
from ..training.source import prepare
from .subject import Function, Quantity, Structures, Subject, named_in


def of_run(run: str | Path, trust: bool = False) -> tuple[Subject, TrainConfig, Saved]:
    """The model of a run folder or a shipped one by name, its settings and what was saved.

    Outputs are in the targets' units, of two classes the second's probability; energies are
    relative to the atoms' references. Raises InputError where there is no
    model (see `molinv.training.saved.load`).
    """
    folder = locate(str(run))
    saved = load_saved(folder, trust)
    config = read_config(folder / "config.yaml")
    model, task, kind = saved.network.model, saved.task, saved.task.kind
    classes = isinstance(task, Classes)
    if classes and any(len(t.classes) > 2 for t in task.targets):
        raise InputError(
            f"{folder} tells more than two classes apart: analyse a model of numbers or of two."
        )

    def run_on(pos: Tensor, z: Tensor, features: Features | None) -> Tensor:
        blank = torch.full((len(pos), 1), torch.nan, dtype=torch.float64)
        batch = Batch(pos, z, blank, torch.arange(len(pos)), features=features)
        inputs = model.inputs(batch)  # pyright: ignore[reportCallIssue]
        values = task.values(model(*inputs).cpu())  # in float64
        values = values[..., 1].double() if classes else values
        if not kind.startswith("atom"):
            return values
        inside = (z > 0).cpu().view(len(z), 1, -1, *[1] * (values.ndim - 3))
        return values * inside  # also where the mean of numbers is not 0

    def call(pos: Tensor, z: Tensor) -> Tensor:
        return run_on(pos, z, None)

    def bind(structures: Structures) -> Function:
        find = structures.features
        if find is None:
            raise InputError(f"{folder} takes features, which these molecules lack.")

        def call(pos: Tensor, z: Tensor) -> Tensor:
            molecule, z = named_in(z)
            features = find(molecule.cpu(), z.shape[1])
            return run_on(pos, z, features.to(pos.device).to(pos.dtype))

        return call

    extents = saved.card["extents"].items()
    subject = Subject(
        name=shipped_name(folder) or folder.name,
        call=call,
        bind=bind if asked(saved) else None,
        quantities=tuple(Quantity(t.name, unit_of(t)) for t in task.predicted),
        kind=kind,
        module=model,
        distribution=saved.network.distribution,
        history=read_history(folder / "metrics.csv"),
        folder=folder,
        facts={
            "model": f"{config.model}, {saved.card['parameters']:,} parameters",
            "data": f"{config.data}, {saved.card['molecules']['train']:,} training molecules, "
            f"split {saved.card['split']}, seed {config.seed}",
            "distribution": f"{config.distribution} on {config.group}, {config.regularizer} "
            f"reward with lambda {config.lam:g}; learned "
            + ", ".join(f"{name} {e['value']:.3g} {e['unit']}" for name, e in extents),
        },
    )
    return subject, config, saved


def held_out(config: TrainConfig, saved: Saved, limit: int) -> Structures:
    """The first `limit` test molecules of a run, placed as in training, with true values.

    Raises InputError where the data is no longer what the run was trained on.
    """
    source = prepare(config)
    molecules, parts = source.molecules, source.parts
    if parts.hash != saved.card["split"]:
        raise InputError(
            f"the split of {config.data} is {parts.hash}, but the run was trained on "
            f"{saved.card['split']}: the data has changed; train again."
        )
    chosen = parts.test[:limit]
    store = place(molecules, saved.task, config, "cpu")
    batch = store.gather(chosen)
    y = saved.task.known(batch)
    y = y[..., 1] if isinstance(saved.task, Classes) else y
    if saved.task.kind.startswith("atom"):
        y = y.nan_to_num()  # of padding
    sizes = batch.mask.sum(1).tolist()
    return Structures(
        [pos[:n] for pos, n in zip(batch.pos, sizes, strict=True)],
        [z[:n] for z, n in zip(batch.z, sizes, strict=True)],
        y,
        [molecules.smiles[int(i)] or molecules.ids[int(i)] for i in chosen],
        store.features_of(chosen),
    )


def given_structures(
    items: Iterable[Structure | Rejected], limit: int, names: Sequence[str] = ()
) -> Structures:
    """The first `limit` molecules of a user, each about its centroid, with the named features.

    Raises InputError for one that cannot be used, and where there is none.
    """
    kept: list[Structure] = []
    for item in islice(items, limit):
        if isinstance(item, Rejected):
            raise InputError(f"{item.source}: {item.name}: {item.reason}")
        kept.append(item)
    if not kept:
        raise InputError("there is no molecule in what was given: expected at least one.")
    return Structures(
        [torch.from_numpy((s.pos - s.pos.mean(0)).astype(np.float32)) for s in kept],
        [torch.from_numpy(s.z.astype(np.int64)) for s in kept],
        names=[s.name for s in kept],
        features=feature_store(kept, names).of if names else None,
    )


def read_history(path: Path) -> list[dict[str, float]]:
    """The rows of a metrics.csv without empty cells; no rows where there is no file."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(file)]
