"""The data of a run, by its settings: molecules, their parts, and what had to be left out."""

from __future__ import annotations

from typing import NamedTuple

from ..chem.structure import Rejected
from ..datasets import load
from ..datasets.molecules import Molecules
from ..datasets.split import Split, split
from .config import TrainConfig
from .conformal import GIVEN


class Source(NamedTuple):
    """Molecules, their parts, the rows that could not be used, and what their geometries are."""

    molecules: Molecules
    parts: Split
    rejected: list[Rejected]
    kinds: tuple[str, ...]


def prepare(config: TrainConfig) -> Source:
    """The molecules that `config` names, divided as it says."""
    molecules = load(config.data)
    parts = split(len(molecules), config.seed, config.train_size)
    return Source(molecules, parts, [], (GIVEN,))
