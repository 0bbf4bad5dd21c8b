"""Write the sample of QM9 that is shipped with the project, so that tests need no download."""

from __future__ import annotations

from pathlib import Path

from .molecules import Molecules
from .qm9 import open_qm9
from .split import permutation


def write_sample(folder: str | Path, count: int = 1000, seed: int = 0) -> Molecules:
    """Draw `count` molecules of QM9 by a seeded permutation and save them as `folder`.

    The sample has all targets, charges, SMILES and ids (QM9's Index). The same arguments give the
    same bytes. Raises InputError if QM9 is not installed or the folder holds other data.
    """
    molecules = open_qm9()
    return molecules.take(permutation(len(molecules), seed)[:count]).save(folder)
