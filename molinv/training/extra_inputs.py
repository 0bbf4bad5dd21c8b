"""Add descriptors and xTB results to the molecules of a run, as its settings ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..chem.descriptors import RDKIT
from ..chem.structure import Rejected
from ..datasets.descriptors import described
from ..datasets.electronic import electronics
from ..datasets.features import XTB
from ..datasets.split import Split
from ..errors import InputError, unknown
from ..groups import find
from ..tasks import kind_of
from ..tasks.energy_forces import check_gradient
from .build import check_rigid
from .config import TrainConfig
from .copies import geometry_fractions

if TYPE_CHECKING:
    from .source import Source


def with_xtb(
    config: TrainConfig, source: Source, workers: int, tested: int | None = None
) -> Source:
    """The source with the xTB results of each molecule; molecules without results are left out.

    With `tested`, only the first so many test molecules get results. Raises InputError if the
    settings ask for other geometries than the data's, for a group that changes distances or for
    forces, and if a part would be empty.
    """
    if geometry_fractions(config.geometries) or config.conformers > 1:
        raise InputError(
            "xTB results are computed for the data's own geometries: leave out --geometries and "
            "--conformers, or xtb in --features and --auxiliary."
        )
    if XTB in config.taken:
        check_rigid(find(config.group))  # before minutes of computing
        if kind_of(source.molecules.describe(config.target_names)).gradient:
            check_gradient(config.model, config.compile, config.taken)
    molecules, parts = source.molecules, source.parts
    every = np.concatenate([parts.test, parts.valid, parts.train])
    rows = every if tested is None else parts.test[:tested]
    assert molecules.extras.state is not None
    found, wrong = electronics(molecules, rows, molecules.extras.state, workers)
    made = _without(config, source, wrong, molecules.smiles, "xTB results are")
    extras = replace(molecules.extras, electronic=found)
    return made._replace(molecules=replace(molecules, extras=extras))


def with_descriptors(
    config: TrainConfig,
    source: Source,
    smiles: Sequence[str],
    said: Sequence[dict[str, Any]] | None,
    workers: int,
) -> Source:
    """The source with the descriptors that the settings name; rows without one are left out.

    `smiles` and `said`, the columns of the records, have an entry for every molecule. Raises
    InputError for columns that the data does not have, and if a part would be empty.
    """
    if not (wanted := config.described):
        return source
    molecules, parts = source.molecules, source.parts
    columns = dict.fromkeys(name for row in said or () for name in row)
    for name in wanted.columns:
        if name not in columns:
            raise unknown(f"descriptor of {config.data}:", name, [RDKIT, *columns])
    rows = np.concatenate([parts.test, parts.valid, parts.train])
    found, wrong = described(rows, smiles, said, wanted, workers)
    values = np.full((len(molecules), len(wanted)), np.nan, np.float32)
    values[rows] = found
    made = _without(config, source, wrong, smiles, "the descriptors are")
    extras = replace(molecules.extras, descriptors=values)
    return made._replace(molecules=replace(molecules, extras=extras))


def _without(
    config: TrainConfig, source: Source, wrong: dict[int, str], smiles: Sequence[str], what: str
) -> Source:
    """Move the molecules `wrong` from the parts of a source to its rejected ones, with reasons.

    Raises InputError if a part would be empty; the message begins with `what`.
    """
    molecules, parts = source.molecules, source.parts
    three = (parts.train, parts.valid, parts.test)
    kept = [part[~np.isin(part, [*wrong])] for part in three]
    where = "" if len(config.files) > 1 else f"{Path(config.data)}:"  # else ids have the path
    rejected = [
        Rejected(smiles[i] or molecules.ids[i], where + molecules.ids[i], why)
        for i, why in sorted(wrong.items())
    ]
    if not all(map(len, kept)):
        raise InputError(
            f"{what} missing for all molecules of a part; the first, "
            f"{rejected[0].source}: {rejected[0].reason}."
        )
    return source._replace(
        parts=Split(kept[0], kept[1], kept[2]) if wrong else parts,
        rejected=[*source.rejected, *rejected],
    )
