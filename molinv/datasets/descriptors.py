"""Descriptors of many molecules, kept in the cache, and the numbers of columns of a file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from ..chem.descriptor_columns import missing_columns
from ..chem.descriptors import RDKIT, Descriptors, rdkit_values, with_rdkit
from ..chem.structure import Pending, ReadOptions, Rejected, Structure
from ..errors import InputError
from . import storage
from .own_values import LARGEST, missing, number
from .qm9 import cache_root

CHUNK = 1024  # molecules of a folder in the cache
FEW = 200  # molecules that one process describes before others would have started
NO_BONDS = "RDKit's descriptors need bonds, and it has no SMILES: leave it out, or add a SMILES"


def column_values(said: Mapping[str, Any], wanted: Descriptors) -> list[float]:
    """The numbers in a record's columns; InputError where one is missing or not a number."""
    made = []
    for name in wanted.columns:
        if missing(said.get(name)):
            raise InputError(f"it has no value of the descriptor {name!r}")
        value = number(said[name])
        if value is None or abs(value) > LARGEST:
            raise InputError(
                f"expected a number below {LARGEST:g} as the descriptor {name!r}, got "
                f"{str(said[name])[:40]!r}"
            )
        made.append(value)
    return made


def numbered(structure: Structure, wanted: Descriptors) -> Structure | Rejected:
    """The structure with the numbers that a model takes; Rejected where they are not known."""
    if not wanted:
        return structure
    made = with_rdkit(structure, wanted)
    if isinstance(made, Rejected):
        return made
    given = made.columns or {}
    try:
        if wanted.columns and not set(wanted.columns) & set(given):
            raise InputError(missing_columns(wanted))
        columns = column_values(given, wanted)
    except InputError as error:
        return Rejected(structure.name, structure.source, str(error))
    return replace(made, descriptors=np.array([*given.get(RDKIT, ()), *columns]))


def described(
    rows: Int64[np.ndarray, " m"],
    smiles: Sequence[str],
    said: Sequence[Mapping[str, Any]] | None,
    wanted: Descriptors,
    workers: int = 0,
) -> tuple[Float64[np.ndarray, "m d"], dict[int, str]]:
    """Descriptors of the chosen molecules, NaN where there are none, and the reasons by row.

    `smiles` and `said` are of all molecules; the latter are the columns of their records.
    """
    values, wrong = np.full((len(rows), len(wanted)), np.nan), dict[int, str]()
    if wanted.rdkit:
        with_bonds = [k for k, i in enumerate(rows.tolist()) if smiles[i]]
        texts = [smiles[int(rows[k])] for k in with_bonds]
        wrong |= {int(i): NO_BONDS for k, i in enumerate(rows) if not smiles[int(i)]}
        for start in range(0, len(texts), CHUNK):
            found, why = _cached(texts[start : start + CHUNK], wanted.rdkit, workers, len(texts))
            at = with_bonds[start : start + CHUNK]
            values[at, : len(wanted.rdkit)] = found
            wrong |= {int(rows[at[i]]): reason for i, reason in why.items()}
    for k, i in enumerate(rows.tolist() if wanted.columns else ()):
        assert said is not None
        try:
            values[k, len(wanted.rdkit) :] = column_values(said[i], wanted)
        except InputError as error:
            wrong.setdefault(i, str(error))
    return values, wrong


def _cached(
    smiles: Sequence[str], names: Sequence[str], workers: int, total: int
) -> tuple[Float64[np.ndarray, "c d"], dict[int, str]]:
    from rdkit import rdBase

    whole = [*smiles, *names, rdBase.rdkitVersion]
    digest = hashlib.sha256(json.dumps(whole).encode()).hexdigest()[:32]
    folder = cache_root() / "descriptors" / digest
    if not folder.exists():
        values, wrong = _calculated(smiles, names, workers if total > FEW else 0)
        storage.write(folder, {"values": values}, {"rejected": [*wrong.items()]})
    arrays, meta = storage.read(folder)
    return arrays["values"], {int(i): why for i, why in meta["rejected"]}


def _calculated(
    smiles: Sequence[str], names: Sequence[str], workers: int
) -> tuple[Float64[np.ndarray, "c d"], dict[int, str]]:
    from rich.console import Console
    from rich.progress import track

    from ..chem.parallel import finish_all

    def pending(text: str) -> Pending:
        make: Any = partial(_of_one, text, names)
        return Pending(text, "data", make)

    made = finish_all(map(pending, smiles), ReadOptions(), workers)
    values, wrong = np.full((len(smiles), len(names)), np.nan), {}
    bar = track(made, "descriptors", len(smiles), console=Console(stderr=True), transient=True)
    for i, found in enumerate(bar):
        if isinstance(found, Rejected):
            wrong[i] = found.reason
        else:
            values[i] = found
    return values, wrong


def _of_one(smiles: str, names: Sequence[str], options: ReadOptions) -> np.ndarray | Rejected:
    try:
        return rdkit_values(smiles, names)
    except InputError as error:
        return Rejected(smiles, "data", str(error))
