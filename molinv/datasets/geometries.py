"""RDKit's geometries of many records, computed once and cached in chunks.

A chunk is a sealed folder, named by a hash of what it depends on. An interrupted search resumes
with the first missing chunk. One process searches at a time; others wait for its chunks.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock
from jaxtyping import Int8, Int64

from ..chem.conformers import conformer_seed
from ..chem.graph import graph_of_smiles
from ..chem.structure import EMBEDDED, GIVEN, HYDROGENS, KINDS, ReadOptions
from ..screen import messages
from . import storage
from .extras import Graphs
from .hydrogens import described, hydrogens_added_copies
from .molecules import Molecules
from .qm9 import cache_root
from .ragged import pointers

if TYPE_CHECKING:
    from rich.progress import Progress

    from ..chem.structure import Item

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
GRAPHS = ("atoms", "pairs", "atom_start", "pair_start")
FEW = 200  # up to so many records, starting further processes takes longer than it saves


@dataclass(frozen=True, eq=False)
class Geometries:
    """The geometries of n records.

    index       the index of each record
    structures  (z, pos) of each, pos in angstrom
    kind        the origin of each geometry (see `chem.structure`)
    state       charge and unpaired electrons
    graphs      bond graphs
    rejected    index of every record without a geometry, and the reason
    """

    index: Int64[np.ndarray, " n"]
    structures: list[tuple[np.ndarray, np.ndarray]]
    kind: np.ndarray
    state: Int8[np.ndarray, "n 2"]
    graphs: Graphs
    rejected: dict[int, str]


def geometries(
    items: Sequence[Item], options: ReadOptions, key: Any, workers: int = 0
) -> Geometries:
    """The finished geometry of each record, read from the cache if it was computed before.

    `key` must identify the records, as JSON; the options and RDKit's version are added to it.
    `workers` processes compute what is missing, if that is more than a few records.
    """
    folder = _folder(key, options, len(items))
    starts = range(0, len(items), CHUNK)

    def missing() -> list[int]:
        return [i for i in starts if not (folder / f"{i:08d}").exists()]

    if missing():
        lock = cache_root() / "locks" / f"{folder.name}.lock"
        lock.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(lock):  # another process may be searching, as in a run on several devices
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
    graphs = Graphs.joined([_graphs(arrays) for arrays, _ in parts])
    return Geometries(index, structures, np.array(KINDS)[kind], state, graphs, rejected)


def embedded_copies(
    molecules: Molecules, chosen: Int64[np.ndarray, " m"], workers: int = 0, number: int = 0
) -> tuple[Molecules, Int64[np.ndarray, " k"]] | None:
    """The chosen molecules with conformers that RDKit embeds from their SMILES, and their indices.

    `number` is the number of the conformer, from 0. If the whole set was embedded before, its
    cached conformers are used. A molecule is left out if RDKit cannot embed it or if the SMILES
    has other atoms. Returns None if every molecule is left out.
    """
    smiles = molecules.smiles[:]
    rows = np.arange(len(smiles))
    if len(chosen) < len(smiles) and not _complete(smiles, conformer_seed(0, 0)):
        rows = np.asarray(chosen)
    rows = np.array([i for i in rows if smiles[i]], np.int64) if not all(smiles) else rows
    if not len(rows):
        return None
    for k in range(number + 1):  # molecules whose first search fails are not searched again
        if k in (0, number):
            found = _of_smiles([smiles[int(i)] for i in rows], conformer_seed(0, k), workers)
            rows = rows[found.index]
            if not len(rows):
                return None
    structures = dict(zip(rows.tolist(), found.structures, strict=True))
    kept = [
        i
        for i in chosen.tolist()
        if i in structures
        and np.array_equal(np.sort(structures[i][0]), np.sort(molecules.molecule(i)[0]))
    ]
    if not kept:
        return None
    index = np.array(kept, np.int64)
    made = Molecules.from_arrays([structures[i] for i in kept])
    return described(molecules, index, made, EMBEDDED), index


def bond_graphs(molecules: Molecules) -> Graphs:
    """The bond graphs of all molecules that have a SMILES, hydrogens included; cached.

    The atoms are in the same order as in `embedded_copies`.
    """
    from rdkit import rdBase
    from rich.progress import track

    smiles = molecules.smiles[:]
    whole = ["graphs", smiles, rdBase.rdkitVersion]
    digest = hashlib.sha256(json.dumps(whole).encode()).hexdigest()[:32]
    folder = cache_root() / "graphs" / digest
    if not folder.exists():
        screen = messages()
        how: Any = {"console": screen, "transient": True, "disable": not screen.is_terminal}
        bar = track(smiles, "bond graphs", **how)
        made = Graphs.of([graph_of_smiles(s) for s in bar])
        storage.write(folder, {name: getattr(made, name) for name in GRAPHS}, {})
    arrays, _ = storage.read(folder)
    return Graphs(*(arrays[name] for name in GRAPHS))


def _of_smiles(smiles: Sequence[str], seed: int, workers: int) -> Geometries:
    from ..chem.smiles import pending

    items = [pending(s, s, "data") for s in smiles]
    return geometries(items, ReadOptions(seed=seed), _key(smiles), workers)


def _key(smiles: Sequence[str]) -> list[str]:
    return ["smiles", hashlib.sha256("\n".join(smiles).encode()).hexdigest()]


def _complete(smiles: Sequence[str], seed: int) -> bool:
    folder = _folder(_key(smiles), ReadOptions(seed=seed), len(smiles))
    return all((folder / f"{i:08d}").exists() for i in range(0, len(smiles), CHUNK))


def _folder(key: Any, options: ReadOptions, records: int) -> Path:
    """The cache folder of the chunks."""
    from rdkit import rdBase

    whole = [key, options.seed, options.smiles_column, records, rdBase.rdkitVersion, CHUNK]
    digest = hashlib.sha256(json.dumps(whole).encode()).hexdigest()[:32]
    return cache_root() / "geometries" / digest


def _make(
    folder: Path, items: Sequence[Item], options: ReadOptions, missing: list[int], workers: int
) -> None:
    from rich.progress import Progress

    from ..chem.parallel import finish_all
    from ..chem.structure import Rejected

    folder.mkdir(parents=True, exist_ok=True)
    wanted = [item for i in missing for item in items[i : i + CHUNK]]
    screen = messages()
    with Progress(console=screen, transient=True, disable=not screen.is_terminal) as bar:
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
            graphs = Graphs.of([s.graph for _, s in kept])
            arrays |= {f"graph_{name}": getattr(graphs, name) for name in GRAPHS}
            storage.write(folder / f"{start:08d}", arrays, {"rejected": rejected})


def _said(arrays: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Index, kind and state of a chunk; chunks of molinv 0.1.0 have no state."""
    index = arrays["index"]
    if "kind" in arrays:
        return index, arrays["kind"], arrays["state"]
    kind = np.where(arrays["embedded"], KINDS.index(EMBEDDED), KINDS.index(GIVEN))
    return index, kind, np.zeros((len(index), 2), np.int8)


def _graphs(arrays: dict[str, np.ndarray]) -> Graphs:
    """The bond graphs of a chunk; chunks of molinv 0.1.0 have none."""
    if "graph_atoms" not in arrays:
        return Graphs.of([None] * len(arrays["index"]))
    return Graphs(*(arrays[f"graph_{name}"] for name in GRAPHS))


def _joined(parts: list[np.ndarray], dtype: Any) -> np.ndarray:
    return np.concatenate(parts).astype(dtype) if parts else np.zeros(0, dtype)


def _advancing(found: Iterator[Any], bar: Progress, task: Any) -> Iterator[Any]:
    for item in found:
        yield item
        bar.advance(task)
