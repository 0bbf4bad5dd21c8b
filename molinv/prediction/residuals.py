"""Errors of a saved model, per molecule and averaged per target."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float64, Int64
from rich.progress import track

from ..datasets.batches import OnDevice
from ..datasets.kinds import SHAPES
from ..datasets.molecules import Molecules
from ..screen import messages
from ..tasks.classes import Classes
from ..tasks.errors import errors_of
from ..training import molecule_data
from ..training.config import TrainConfig
from ..training.saved import Saved
from .batches import device_of, has_double, stored
from .difficulty import Signs
from .orbit_values import orbit_forces, orbit_values, signs_from

FORCES = "atom vector"  # the kind of forces


class Residuals(NamedTuple):
    """Errors (see `errors_of`), signs, true values and predictions of m molecules.

    `signs` are None for forces. `truth` and `found` hold an array (t, *e), or (t, n, *e) for
    values per atom, for each molecule.
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
        """Mean absolute error of each target over its known values; NaN if none is known."""
        return _mean(self.total, self.count)

    def components(self, kind: str) -> list[float]:
        """Mean absolute error of the components of vectors and tensors."""
        return _mean(self.entries, self.count * prod(SHAPES[kind]))


def place(
    saved: Saved, molecules: Molecules, config: TrainConfig, rotate: bool = False
) -> OnDevice:
    """Prepare molecules as in training, and put them on the network's device.

    They stay on the CPU if that device lacks float64.
    """
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

    The error of classes is the norm of the difference of probabilities. With 0 copies the network
    runs once, on the molecules in their own orientation. `forces` compares forces in place of the
    targets. `what` labels a progress bar; there is none without it.
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
    """The items, with a progress bar on stderr if `what` labels it."""
    screen = messages()
    hidden = not (what and screen.is_terminal)
    return track(items, what, total, console=screen, transient=True, disable=hidden)


def _mean(total: Float64[np.ndarray, "m t"], count: Int64[np.ndarray, "m t"]) -> list[float]:
    """Mean of each target over its known values; NaN if none is known."""
    sums = zip(total.sum(0), count.sum(0), strict=True)
    return [float(s / n) if n else float("nan") for s, n in sums]
