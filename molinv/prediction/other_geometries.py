"""Held-out molecules in geometries made by RDKit: embedded, or with added hydrogens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64

from ..chem.structure import EMBEDDED, GIVEN, HYDROGENS, KINDS
from ..datasets.batches import OnDevice
from ..datasets.geometries import embedded_copies, hydrogens_added_copies
from ..datasets.molecules import Molecules
from ..errors import InputError
from ..training.config import TrainConfig
from ..training.saved import Saved
from ..training.source import Source
from .residuals import place


class Others(NamedTuple):
    """Molecules with one kind of geometry, and their rows in a store."""

    kind: str
    molecules: Molecules
    store: OnDevice
    rows: Int64[np.ndarray, " m"]


def others(
    saved: Saved,
    source: Source,
    config: TrainConfig,
    store: OnDevice,
    chosen: Int64[np.ndarray, " m"],
    count: int,
    workers: int = 0,
) -> Iterator[Others]:
    """Yield the first `count` chosen molecules in each kind of geometry that the source lacks.

    Geometries in `store` are used first, if the source has several kinds. Molecules that RDKit
    cannot embed are left out; `workers` processes embed. Raises InputError if it can embed none.
    """
    copies, molecules, there = source.copies, source.molecules, set(source.kinds)
    if copies is not None:
        kinds = np.array(KINDS)[molecules.extras.kinds]
        columns = kinds[copies.rows.max(0)]  # kind of geometry of each column
        for kind in dict.fromkeys(columns.tolist()):
            if kind not in there:
                rows = copies.rows[copies.molecule[chosen[:count]], int((columns == kind).argmax())]
                rows = rows[rows >= 0]
                yield Others(kind, molecules.take(rows), store, rows)
        there |= set(columns.tolist())
    if GIVEN not in source.kinds or {EMBEDDED, HYDROGENS} <= there:
        return
    some = np.array([i for i in chosen.tolist() if molecules.smiles[i]][:count], np.int64)
    made = embedded_copies(molecules, some, workers) if len(some) else None
    if made is None:
        raise InputError(
            "no held-out molecule of the data has a SMILES that RDKit can embed: leave out "
            "--embedded."
        )
    for kind, found in ((EMBEDDED, made), (HYDROGENS, hydrogens_added_copies(molecules, some))):
        if kind not in there and found is not None:
            each, _ = found
            yield Others(kind, each, place(saved, each, config, rotate=True), np.arange(len(each)))
