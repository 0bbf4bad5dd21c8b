"""Held-out molecules in other geometries than the data's own: embedded, hydrogens added."""

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
    """Molecules of one kind of geometry, and where they are in a store."""

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
    """The first `count` of the chosen in each kind of geometry that the source does not stand for.

    Of a source with several geometries those in `store` are taken. Molecules of which one cannot be
    made are left out. Raises InputError where RDKit can embed none.
    """
    copies, molecules = source.copies, source.molecules
    if copies is not None:
        kinds = np.array(KINDS)[molecules.extras.kinds]
        some = copies.molecule[chosen[:count]]
        for kind in dict.fromkeys(kinds.tolist()):
            if kind in source.kinds:
                continue
            rows = copies.rows[some]
            first = kinds[copies.rows.max(0)] == kind  # of each column
            column = rows[:, int(first.argmax())]
            column = column[column >= 0]
            yield Others(kind, molecules.take(column), store, column)
    elif GIVEN in source.kinds:
        some = np.array([i for i in chosen.tolist() if molecules.smiles[i]][:count], np.int64)
        made = embedded_copies(molecules, some, workers) if len(some) else None
        if made is None:
            raise InputError(
                "no held-out molecule of the data has a SMILES that RDKit can embed: leave out "
                "--embedded."
            )
        added = hydrogens_added_copies(molecules, some)
        for kind, found in ((EMBEDDED, made), (HYDROGENS, added)):
            if kind not in source.kinds and found is not None:
                each, _ = found
                turned = place(saved, each, config, rotate=True)
                yield Others(kind, each, turned, np.arange(len(each)))
