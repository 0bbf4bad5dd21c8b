"""Runs of `molinv train` and shipped models as subjects, with their test molecules."""

from __future__ import annotations

import csv
from pathlib import Path

import torch
from torch import Tensor

from ..datasets.batches import Batch
from ..datasets.features import Features
from ..errors import InputError
from ..prediction.batches import asked
from ..prediction.fields import unit_of
from ..pretrained import locate, shipped_name
from ..tasks.classes import Classes
from ..training.config import TrainConfig, read_config
from ..training.members import first_member
from ..training.molecule_data import place
from ..training.saved import Saved
from ..training.saved import load_molecules as load_saved
from ..training.source import prepare
from .subject import Function, Quantity, Structures, Subject, named_in


def of_run(run: str | Path, trust: bool = False) -> tuple[Subject, TrainConfig, Saved]:
    """The model of a run folder or the name of a shipped one, its settings and its saved state.

    Of an ensemble, this is the first member, and is named so.
    Outputs are in the targets' units; for two classes, the probability of the second. Energies are
    relative to the references of atoms. Raises InputError if there is no model (see
    `molinv.training.saved.load`).
    """
    folder = locate(str(run))
    part = first_member(folder)
    saved, config = load_saved(part, trust), read_config(part / "config.yaml")
    model, task, kind = saved.network.model, saved.task, saved.task.kind
    classes = isinstance(task, Classes)
    if classes and any(len(t.classes) > 2 for t in task.targets):
        raise InputError(
            f"{folder} predicts more than two classes: analyse a model of numbers or two classes."
        )

    def call(pos: Tensor, z: Tensor, features: Features | None = None) -> Tensor:
        blank = torch.full((len(pos), 1), torch.nan, dtype=torch.float64)
        batch = Batch(pos, z, blank, torch.arange(len(pos)), features=features)
        inputs = model.inputs(batch)  # pyright: ignore[reportCallIssue]
        values = task.values(model(*inputs).cpu())  # in float64
        values = values[..., 1].double() if classes else values
        if not kind.startswith("atom"):
            return values
        inside = (z > 0).cpu().view(len(z), 1, -1, *[1] * (values.ndim - 3))
        return values * inside  # padding is the mean of the targets, which may not be 0

    def bind(structures: Structures) -> Function:
        find = structures.features
        if find is None:
            raise InputError(f"{folder} takes features, which these molecules lack.")

        def with_features(pos: Tensor, z: Tensor) -> Tensor:
            molecule, z = named_in(z)
            features = find(molecule.cpu(), z.shape[1])
            return call(pos, z, features.to(pos.device).to(pos.dtype))

        return with_features

    extents = saved.card["extents"].items()
    subject = Subject(
        name=str(Path(shipped_name(folder) or folder.name, part.relative_to(folder))),
        call=call,
        bind=bind if asked(saved) else None,
        quantities=tuple(Quantity(t.name, unit_of(t)) for t in task.predicted),
        kind=kind,
        module=model,
        distribution=saved.network.distribution,
        history=read_history(part / "metrics.csv"),
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

    Raises InputError if the data has changed since the training.
    """
    source = prepare(config, tested=limit)
    if source.parts.hash != saved.card["split"]:
        source = prepare(config)  # the split of a run whose xTB failed for some molecules
    if source.parts.hash != saved.card["split"]:
        raise InputError(
            f"the split of {config.data} is {source.parts.hash}, but the run was trained on "
            f"{saved.card['split']}: the data has changed; train again."
        )
    molecules, chosen = source.molecules, source.parts.test[:limit]
    store = place(molecules, saved.task, config, "cpu")
    batch = store.gather(chosen)
    y = saved.task.known(batch)
    y = y[..., 1] if isinstance(saved.task, Classes) else y
    if saved.task.kind.startswith("atom"):
        y = y.nan_to_num()  # padding is NaN
    sizes = batch.mask.sum(1).tolist()
    return Structures(
        [pos[:n] for pos, n in zip(batch.pos, sizes, strict=True)],
        [z[:n] for z, n in zip(batch.z, sizes, strict=True)],
        y,
        [molecules.smiles[int(i)] or molecules.ids[int(i)] for i in chosen],
        store.features_of(chosen),
    )


def read_history(path: Path) -> list[dict[str, float]]:
    """The rows of a metrics.csv without empty cells; no rows if there is no file."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(file)]
