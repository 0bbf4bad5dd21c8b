"""Errors of a saved model for each molecule, and their mean for each target."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float64, Int64
from rich.console import Console
from rich.progress import track

from ..datasets.batches import OnDevice
from ..datasets.kinds import SHAPES
from ..datasets.molecules import Molecules
from ..tasks.classes import Classes
from ..tasks.errors import errors_of
from ..training import molecule_data
from ..training.config import TrainConfig
from ..training.saved import Saved
from .batches import device_of, has_double, stored
from .difficulty import Signs
from .orbit_values import orbit_forces, orbit_values, signs_from

FORCES = "atom vector"  # their kind


class Residuals(NamedTuple):
    """What `errors_of` says of each of m molecules, their signs, and what is compared.

    `signs` are None of forces. `truth` and `found` have an array (t, *e), or (t, n, *e), for each
    molecule.
    """

    values: Float64[np.ndarray, "m t"]
    total: Float64[np.ndarray, "m t"]
    count: Int64[np.ndarray, "m t"]
    entries: Float64[np.ndarray, "m t"]
    signs: Signs | None
    truth: list[np.ndarray]
    found: list[np.ndarray]

    @property
    def mae(self) -> list[float]:
        """Mean absolute error of each target over what there is of it; NaN where nothing is."""
        return _mean(self.total, self.count)

    def components(self, kind: str) -> list[float]:
        """The same of the components of vectors and tensors, as tables often give it."""
        return _mean(self.entries, self.count * prod(SHAPES[kind]))


def place(
    saved: Saved, molecules: Molecules, config: TrainConfig, rotate: bool = False
) -> OnDevice:
    """Molecules as in training, all of them where the network computes, if that has float64."""
    device = device_of(saved.network)
    where = device if has_double(device) else "cpu"
    return molecule_data.place(molecules, saved.task, config, where, rotate)


def residuals(
    saved: Saved,
    store: OnDevice,
    chosen: Int64[np.ndarray, " m"],
    copies: int,
    what: str = "",
    forces: bool = False,
) -> Residuals:
    """Errors of the chosen molecules of a store, in their order, predicted as `predict` does.

    The error of classes is the length of the difference of their probabilities. 0 copies run the
    network once, with the molecules as they are. `forces` takes those of the energy in place of
    the targets.
    """
    task, errors, signs = saved.task, [], []
    compared: tuple[list[np.ndarray], list[np.ndarray]] = [], []
    by_atom = forces or task.predicted[0].by_atom
    kind = FORCES if forces else "vector" if isinstance(task, Classes) else task.kind
    batches, parts = stored(store, chosen, device_of(saved.network))
    for batch in bar(batches, what, len(parts)):
        if forces:
            assert batch.forces is not None
            found, truth = orbit_forces(saved, batch, copies)[:, None], batch.forces.cpu()[:, None]
        else:
            made = orbit_values(saved, batch, copies)
            found, truth = made.mean.double(), task.known(batch.to("cpu"))
            signs.append(signs_from(saved, made, batch))
        errors.append(errors_of(found - truth, kind))
        atoms = batch.mask.sum(1).tolist()
        for kept, values in zip(compared, (truth, found), strict=True):
            pairs = zip(values.numpy(), atoms, strict=True)
            kept += [value[:, :n] if by_atom else value for value, n in pairs]
    order = np.argsort(np.concatenate(parts))
    value, total, count, entries = (
        torch.cat(part).numpy()[order] for part in zip(*errors, strict=True)
    )
    seen = Signs.joined(signs).take(order) if signs else None
    true, found = ([kept[i] for i in order] for kept in compared)
    return Residuals(value, total, count, entries, seen, true, found)


def bar(items: Iterable, what: str, total: int) -> Iterable:
    """The items, with a bar on the screen where there is something to call it."""
    screen = Console(stderr=True)
    return track(items, what, total, console=screen, transient=True, disable=not what)


def _mean(total: Float64[np.ndarray, "m t"], count: Int64[np.ndarray, "m t"]) -> list[float]:
    """Of each target over the values that there are; NaN for one without any."""
    sums = zip(total.sum(0), count.sum(0), strict=True)
    return [float(s / n) if n else float("nan") for s, n in sums]
