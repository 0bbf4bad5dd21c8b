"""RDKit's geometries of many records, made once: kept in the cache, chunk by chunk.

A chunk is a sealed folder named by what it depends on, so that an interrupted search resumes with
the chunk it was at. One process searches at a time; others wait for its chunks.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock
from jaxtyping import Int8, Int64

from ..chem.structure import EMBEDDED, GIVEN, HYDROGENS, KINDS
from . import storage
from .hydrogens import hydrogens_added_copies
from .molecules import Molecules
from .qm9 import cache_root
from .ragged import pointers

if TYPE_CHECKING:
    from rich.progress import Progress

    from ..chem.structure import Item, ReadOptions

__all__ = [
    "EMBEDDED",
    "GIVEN",
    "HYDROGENS",
    "KINDS",
    "Geometries",
    "embedded_copies",
    "geometries",
    "hydrogens_added_copies",
]

CHUNK = 256  # records
FEW = 200  # records that one process embeds before others would have started


@dataclass(frozen=True, eq=False)
class Geometries:
    """Those of the records that have one: which record, z and pos, and where they came from.

    `kind` is that of each (see `chem.structure`), `state` its charge and unpaired electrons;
    `rejected` holds the index of every other record and the reason.
    """

    index: Int64[np.ndarray, " n"]
    structures: list[tuple[np.ndarray, np.ndarray]]
    kind: np.ndarray
    state: Int8[np.ndarray, "n 2"]
    rejected: dict[int, str]


def geometries(
    items: Sequence[Item], options: ReadOptions, key: Any, workers: int = 0
) -> Geometries:
    """`finish` of each record, from the cache where it was made before.

    `key`, as JSON, is all that the records depend on beside the options and RDKit's version.
    `workers` processes do it, where the records are more than a few.
    """
    from rdkit import rdBase

    whole = [key, options.seed, options.smiles_column, len(items), rdBase.rdkitVersion, CHUNK]
    digest = hashlib.sha256(json.dumps(whole).encode()).hexdigest()[:32]
    folder = cache_root() / "geometries" / digest
    starts = range(0, len(items), CHUNK)

    def missing() -> list[int]:
        return [i for i in starts if not (folder / f"{i:08d}").exists()]

    if missing():
        lock = cache_root() / "locks" / f"{digest}.lock"
        lock.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(lock):  # another process may be at it, as in a run on several devices
            if left := missing():
                _make(folder, items, options, left, workers if len(items) > FEW else 0)
    parts = [storage.read(folder / f"{i:08d}") for i in range(0, len(items), CHUNK)]
    structures, rejected = [], {}
    for arrays, meta in parts:
        ptr = arrays["ptr"]
        for start, end in pairwise(ptr):
            structures.append((arrays["z"][start:end], arrays["pos"][start:end]))
        rejected |= {int(i): reason for i, reason in meta["rejected"]}
    index, kind, state = (
        np.concatenate(column)
        for column in zip(*(_said(arrays) for arrays, _ in parts), strict=True)
    )
    return Geometries(index, structures, np.array(KINDS)[kind], state, rejected)


def embedded_copies(
    molecules: Molecules, chosen: Int64[np.ndarray, " m"], workers: int = 0
) -> Molecules | None:
    """The chosen molecules with RDKit's geometries of their SMILES, all else as it was.

    Left out are those that RDKit cannot embed or makes of other atoms; None where all are.
    """
    from ..chem.smiles import pending
    from ..chem.structure import ReadOptions

    smiles = [molecules.smiles[int(i)] for i in chosen]
    text = hashlib.sha256("\n".join(smiles).encode()).hexdigest()
    items = [pending(s, s, "data") for s in smiles]
    found = geometries(items, ReadOptions(), ["smiles", text], workers)
    same = [
        k
        for k, (i, (z, _)) in enumerate(zip(found.index, found.structures, strict=True))
        if np.array_equal(np.sort(z), np.sort(molecules.molecule(chosen[i])[0]))
    ]
    if not same:
        return None
    kept = molecules.take(chosen[found.index[same]])
    made = Molecules.from_arrays([found.structures[k] for k in same])
    return replace(kept, z=made.z, pos=made.pos, ptr=made.ptr, charges=None)


def _make(
    folder: Path, items: Sequence[Item], options: ReadOptions, missing: list[int], workers: int
) -> None:
    from rich.console import Console
    from rich.progress import Progress

    from ..chem.parallel import finish_all
    from ..chem.structure import Rejected

    folder.mkdir(parents=True, exist_ok=True)
    wanted = [item for i in missing for item in items[i : i + CHUNK]]
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("geometries", total=len(wanted))
        done = _advancing(finish_all(wanted, options, workers), bar, task)
        for start in missing:
            kept, rejected = [], []
            for index in range(start, min(start + CHUNK, len(items))):
                found = next(done)
                if isinstance(found, Rejected):
                    rejected.append((index, found.reason))
                else:
                    kept.append((index, found))
            arrays = {
                "index": np.array([i for i, _ in kept], np.int64),
                "z": _joined([s.z for _, s in kept], np.uint8),
                "pos": _joined([s.pos for _, s in kept], np.float32).reshape(-1, 3),
                "ptr": pointers(np.array([len(s.z) for _, s in kept], np.int64)),
                "kind": np.array([KINDS.index(s.kind) for _, s in kept], np.uint8),
                "state": np.array([s.state for _, s in kept], np.int8).reshape(-1, 2),
            }
            storage.write(folder / f"{start:08d}", arrays, {"rejected": rejected})


def _said(arrays: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Index, kind and state of a chunk; molinv 0.1.0 kept none of the last."""
    index = arrays["index"]
    if "kind" in arrays:
        return index, arrays["kind"], arrays["state"]
    kind = np.where(arrays["embedded"], KINDS.index(EMBEDDED), KINDS.index(GIVEN))
    return index, kind, np.zeros((len(index), 2), np.int8)


def _joined(parts: list[np.ndarray], dtype: Any) -> np.ndarray:
    return np.concatenate(parts).astype(dtype) if parts else np.zeros(0, dtype)


def _advancing(found: Iterator[Any], bar: Progress, task: Any) -> Iterator[Any]:
    for item in found:
        yield item
        bar.advance(task)
