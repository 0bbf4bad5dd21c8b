"""Errors of forces that are the gradient of an energy, and of the components of what turns."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np
from jaxtyping import Int64
from rich.console import Console
from rich.progress import track

from ..datasets.batches import Loader, OnDevice
from ..datasets.kinds import SHAPES
from ..tasks.energy_forces import potential
from ..tasks.errors import errors_of
from ..training.saved import Saved
from .calibrate import Residuals, mean_absolute

VECTOR = "atom vector"


def components(found: Residuals, kind: str) -> list[float]:
    """Mean absolute error of the components of vectors and tensors, as tables often give it."""
    return mean_absolute(found.entries, found.count * prod(SHAPES[kind]))


def force_row(
    saved: Saved,
    test: Int64[np.ndarray, " m"],
    views: Mapping[str, tuple[OnDevice, int]],
) -> dict[str, Any]:
    """A row of the evaluation: the mean length of the forces' error in each view, with its unit.

    A view is molecules in place and the elements of the learned distribution that their energy is
    averaged over; 0 takes them as they are.
    """
    forces = saved.standardizer.forces
    assert forces is not None
    row: dict[str, Any] = {"unit": forces.unit, "components": {}}
    for name, (store, copies) in views.items():
        found = _errors(saved, store, test, copies, f"forces, {name}")
        (row[name],), (row["components"][name],) = found.mae, components(found, VECTOR)
    return row


def _errors(
    saved: Saved, store: OnDevice, test: Int64[np.ndarray, " m"], copies: int, what: str
) -> Residuals:
    values, batches = [], Loader(store, test, 128, shuffle=False)
    for batch in track(batches, what, console=Console(stderr=True), transient=True):
        orbit = ("learned", copies) if copies else ("identity", None)
        center = saved.card["placement"]["center"]
        found = potential(saved.network, saved.standardizer, batch, center, *orbit)
        assert batch.forces is not None
        values.append(errors_of((found.forces - batch.forces)[:, None], VECTOR))
    return Residuals.of(values)
