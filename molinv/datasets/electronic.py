"""GFN2-xTB results of many molecules, cached in chunks so that a computation can be resumed.

Source: Bannwarth, Ehlert, Grimme, J. Chem. Theory Comput. 15, 1652 (2019), computed by tblite.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import partial
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int8, Int64

from ..chem import xtb
from ..chem.structure import Pending, ReadOptions, Rejected
from ..errors import InputError
from ..screen import messages
from . import storage
from .extras import Electronics
from .molecules import Molecules
from .qm9 import cache_root
from .ragged import pointers, take

CHUNK = 1024  # molecules in a folder of the cache
FEW = 64  # up to so many molecules, starting further processes takes longer than it saves


def electronics(
    molecules: Molecules,
    chosen: Int64[np.ndarray, " m"],
    states: Int8[np.ndarray, "n 2"],
    workers: int = 0,
) -> tuple[Electronics, dict[int, str]]:
    """GFN2-xTB results of the molecules `chosen`, and by index the reason why one has none.

    `states` holds charge and unpaired electrons of all n molecules. `workers` processes compute
    what is not cached; 0 computes it in this process. Raises InputError without tblite.
    """
    xtb.check_installed()
    parts, folders = _divided(molecules, np.sort(chosen), states)
    _compute(molecules, parts, folders, states, workers)
    atoms, pairs, wrong = [], [], dict[int, str]()
    n = len(molecules)
    whole = np.full((n, len(xtb.MOLECULE)), np.nan, np.float32)
    starts, ends = np.full((2, n), -1, np.int64), [0, 0]
    for part, folder in zip(parts, folders, strict=True):
        arrays, meta = storage.read(folder)
        why = {int(part[i]): reason for i, reason in meta["rejected"]}
        good = np.array([i for i in part.tolist() if i not in why], np.int64)
        sizes = molecules.sizes[good].astype(np.int64)
        starts[0, good] = ends[0] + pointers(sizes)[:-1]
        starts[1, good] = ends[1] + pointers(sizes**2)[:-1]
        ends = [ends[0] + int(sizes.sum()), ends[1] + int((sizes**2).sum())]
        whole[good] = arrays["molecule"]
        atoms.append(arrays["atoms"])
        pairs.append(arrays["pairs"])
        wrong |= why
    wrong = {i: why for i, why in wrong.items() if i in {*chosen.tolist()}}
    return Electronics(np.concatenate(atoms), np.concatenate(pairs), whole, *starts), wrong


def _divided(
    molecules: Molecules, chosen: Int64[np.ndarray, " m"], states: np.ndarray
) -> tuple[list[np.ndarray], list[Path]]:
    """Lists of molecules that include all the chosen ones, and the cache folder of each list.

    If most of the set is chosen, the whole set is divided into blocks. A later call for a few
    molecules then reads the blocks that exist.
    """
    n = len(molecules)
    blocks = [np.arange(start, min(start + CHUNK, n)) for start in range(0, n, CHUNK)]
    made = [(block, _folder(molecules, block, states)) for block in blocks]
    made = [each for each in made if 2 * len(chosen) > n or each[1].exists()]
    there = np.concatenate([np.zeros(0, np.int64), *(block for block, _ in made)])
    rest = np.setdiff1d(chosen, there)
    more = [rest[start : start + CHUNK] for start in range(0, len(rest), CHUNK)]
    made += [(part, _folder(molecules, part, states)) for part in more]
    return [part for part, _ in made], [folder for _, folder in made]


def _folder(molecules: Molecules, part: Int64[np.ndarray, " m"], states: np.ndarray) -> Path:
    """The cache folder of these molecules: its name depends on atoms, states and tblite version."""
    at, ptr = take(molecules.ptr, part)
    digest = hashlib.sha256(f"{xtb.METHOD} {version('tblite')} {xtb.ATOMS}".encode())
    for array in (molecules.z[at], molecules.pos[at], ptr, states[part]):
        digest.update(np.ascontiguousarray(array).tobytes())
    return cache_root() / "xtb" / digest.hexdigest()[:32]


def _compute(
    molecules: Molecules,
    parts: list[np.ndarray],
    folders: list[Path],
    states: np.ndarray,
    workers: int,
) -> None:
    """Compute the folders that do not exist yet."""
    from rich.progress import track

    from ..chem.parallel import finish_all

    missing = [k for k, folder in enumerate(folders) if not folder.exists()]
    rows = [int(i) for k in missing for i in parts[k]]

    def pending(i: int) -> Pending:
        z, pos = molecules.molecule(i)[:2]
        charge, unpaired = states[i].tolist()
        given = (np.array(z, np.int64), np.array(pos, float), charge, unpaired)
        make: Any = partial(_of_one, molecules.ids[i], *given)
        return Pending(molecules.ids[i], "data", make)

    made = finish_all(map(pending, rows), ReadOptions(), workers if len(rows) > FEW else 0)
    screen = messages()
    if len(rows) > FEW:
        screen.print(
            f"{xtb.METHOD} of {len(rows):,} molecules, kept for later runs", highlight=False
        )
    how: Any = {"console": screen, "transient": True, "disable": not screen.is_terminal}
    done: Iterator[Any] = iter(track(made, xtb.METHOD, len(rows), **how))
    for k in missing:
        found = list(islice(done, len(parts[k])))
        refused = [(i, f.reason) for i, f in enumerate(found) if isinstance(f, Rejected)]
        good = [f for f in found if not isinstance(f, Rejected)]
        empty = xtb.Electronic(
            np.zeros((0, len(xtb.ATOMS)), np.float32),
            np.zeros((0, 0, len(xtb.PAIRS)), np.float32),
            np.zeros(len(xtb.MOLECULE), np.float32),
        )
        flat = Electronics.of(good or [empty])
        arrays = {"atoms": flat.atoms, "pairs": flat.pairs, "molecule": flat.molecule[: len(good)]}
        storage.write(folders[k], arrays, {"rejected": refused})


def _of_one(
    name: str, z: np.ndarray, pos: np.ndarray, charge: int, unpaired: int, options: ReadOptions
) -> xtb.Electronic | Rejected:
    try:
        return xtb.electronic(z, pos, charge, unpaired)
    except InputError as error:
        return Rejected(name, "data", str(error))
