"""What a run's settings ask for of each molecule: descriptors, and what xTB says."""

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
from ..datasets.split import Split
from ..errors import InputError, unknown
from .config import TrainConfig
from .copies import geometry_fractions

if TYPE_CHECKING:
    from .source import Source


def with_xtb(config: TrainConfig, source: Source, workers: int) -> Source:
    """The source with what xTB says of each molecule, without those of which it says nothing.

    Raises InputError for several geometries of a molecule, and where a part has none left.
    """
    if geometry_fractions(config.geometries) or config.conformers > 1:
        raise InputError(
            "what xTB says is of the data's own geometries: leave out --geometries and "
            "--conformers, or xtb in --features and --auxiliary."
        )
    molecules, parts = source.molecules, source.parts
    rows = np.concatenate([parts.test, parts.valid, parts.train])
    assert molecules.extras.state is not None
    found, wrong = electronics(molecules, rows, molecules.extras.state, workers)
    made = _without(config, source, wrong, molecules.smiles, "what xTB says is")
    extras = replace(molecules.extras, electronic=found)
    return made._replace(molecules=replace(molecules, extras=extras))


def with_descriptors(
    config: TrainConfig,
    source: Source,
    smiles: Sequence[str],
    said: Sequence[dict[str, Any]] | None,
    workers: int,
) -> Source:
    """The source with the descriptors that the settings name, without the rows that lack one.

    Raises InputError for columns that the data does not have, and where a part has none left.
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
    """The source without the molecules `wrong`, listed with their reasons.

    Raises InputError where a part has none left.
    """
    molecules, parts = source.molecules, source.parts
    three = (parts.train, parts.valid, parts.test)
    kept = [part[~np.isin(part, [*wrong])] for part in three]
    where = "" if len(config.files) > 1 else f"{Path(config.data)}:"  # of several, ids say it
    rejected = [
        Rejected(smiles[i] or molecules.ids[i], where + molecules.ids[i], why)
        for i, why in sorted(wrong.items())
    ]
    if not all(map(len, kept)):
        raise InputError(
            f"{what} not known of any molecule of a part; the first, "
            f"{rejected[0].source}: {rejected[0].reason}."
        )
    return source._replace(
        parts=Split(kept[0], kept[1], kept[2]) if wrong else parts,
        rejected=[*source.rejected, *rejected],
    )
