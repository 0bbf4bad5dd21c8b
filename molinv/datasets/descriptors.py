"""Descriptors of many molecules: RDKit's, which are cached, and numbers from a file's columns."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from ..chem.descriptor_columns import missing_columns
from ..chem.descriptors import RDKIT, Descriptors, computed, rdkit_values
from ..chem.structure import Pending, ReadOptions, Rejected, Structure
from ..errors import InputError
from ..screen import messages
from . import storage
from .own_values import LARGEST, missing, number
from .qm9 import cache_root

CHUNK = 1024  # molecules in a folder of the cache
FEW = 200  # up to so many molecules, starting further processes takes longer than it saves
NO_BONDS = "RDKit's descriptors need bonds, and it has no SMILES: leave it out, or add a SMILES"


def column_values(said: Mapping[str, Any], wanted: Descriptors) -> list[float]:
    """The numbers in a record's columns.

    Raises InputError if a value is missing, not a number or too large.
    """
    made = []
    for name in wanted.columns:
        if missing(said.get(name)):
            raise InputError(f"it has no value of the descriptor {name!r}")
        value = number(said[name])
        if value is None or abs(value) > LARGEST:
            raise InputError(
                f"expected a number as the descriptor {name!r}, at most {LARGEST:g}, got "
                f"{str(said[name])[:40]!r}"
            )
        made.append(value)
    return made


def numbered(structure: Structure, wanted: Descriptors) -> Structure | Rejected:
    """The structure with the descriptors that a model takes, or Rejected if one is missing."""
    if not wanted:
        return structure
    made = computed(structure, wanted)
    if isinstance(made, Rejected) or not len(wanted):
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
    """Descriptors of the molecules `rows`, and by row the reason why a molecule has none (NaN).

    `smiles` and `said`, the columns of the records, have an entry for every molecule. `workers`
    processes compute what is not cached; 0 computes it in this process.
    """
    values, wrong = np.full((len(rows), len(wanted)), np.nan), dict[int, str]()
    if wanted.rdkit:
        with_bonds = [k for k, i in enumerate(rows.tolist()) if smiles[i]]
        texts = [smiles[int(rows[k])] for k in with_bonds]
        wrong |= {int(i): NO_BONDS for k, i in enumerate(rows) if not smiles[int(i)]}
        found, why = _of_all(texts, wanted.rdkit, workers)
        values[with_bonds, : len(wanted.rdkit)] = found
        wrong |= {int(rows[with_bonds[i]]): reason for i, reason in why.items()}
    for k, i in enumerate(rows.tolist() if wanted.columns else ()):
        assert said is not None
        try:
            values[k, len(wanted.rdkit) :] = column_values(said[i], wanted)
        except InputError as error:
            wrong.setdefault(i, str(error))
    return values, wrong


def _of_all(
    smiles: Sequence[str], names: Sequence[str], workers: int
) -> tuple[Float64[np.ndarray, "m d"], dict[int, str]]:
    """RDKit's descriptors; a chunk of SMILES that was computed before is read from the cache."""
    from rdkit import rdBase
    from rich.progress import track

    from ..chem.parallel import finish_all

    def folder(part: Sequence[str]) -> Path:
        whole = [*part, *names, rdBase.rdkitVersion]
        digest = hashlib.sha256(json.dumps(whole).encode()).hexdigest()[:32]
        return cache_root() / "descriptors" / digest

    def pending(text: str) -> Pending:
        make: Any = partial(_of_one, text, names)
        return Pending(text, "data", make)

    parts = [smiles[start : start + CHUNK] for start in range(0, len(smiles), CHUNK)]
    missing = [part for part in parts if not folder(part).exists()]
    texts = [text for part in missing for text in part]
    made = finish_all(map(pending, texts), ReadOptions(), workers if len(texts) > FEW else 0)
    screen = messages()
    how: Any = {"console": screen, "transient": True, "disable": not screen.is_terminal}
    bar = track(made, "descriptors", len(texts), **how)
    done: Iterator[Any] = iter(bar)
    none = np.full(len(names), np.nan)
    for part in missing:
        found = list(islice(done, len(part)))
        refused = [(i, f.reason) for i, f in enumerate(found) if isinstance(f, Rejected)]
        rows = np.stack([none if isinstance(f, Rejected) else f for f in found])
        storage.write(folder(part), {"values": rows}, {"rejected": refused})
    values, wrong = [np.zeros((0, len(names)))], dict[int, str]()
    for start, part in zip(range(0, len(smiles), CHUNK), parts, strict=True):
        arrays, meta = storage.read(folder(part))
        values.append(arrays["values"])
        wrong |= {start + int(i): why for i, why in meta["rejected"]}
    return np.concatenate(values), wrong


def _of_one(smiles: str, names: Sequence[str], options: ReadOptions) -> np.ndarray | Rejected:
    try:
        return rdkit_values(smiles, names)
    except InputError as error:
        return Rejected(smiles, "data", str(error))
