"""The files of a set with one label for each molecule, written shard by shard.

A shard is an extended XYZ file with the frames of some molecules. Beside it are a .json file with
the same molecules and labels, and a .lost file with the molecules that could not be labelled.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from ..atomic import atomic_write
from ..errors import InputError
from .molecules import Molecules
from .shards import CACHE, join
from .targets import Target

LEFT_OUT = "left_out.csv"


class Labelled(NamedTuple):
    """A molecule's positions (angstrom), its label, and both in extended XYZ."""

    name: str
    z: np.ndarray
    pos: Float64[np.ndarray, "n 3"]
    label: float
    frame: str


def frame(z: np.ndarray, pos: Float64[np.ndarray, "n 3"], keys: str) -> str:
    """A molecule in extended XYZ, with keys such as "energy=1.0 name=2"."""
    from ase.data import chemical_symbols

    lines = [f"{len(z)}", f'Properties=species:S:1:pos:R:3 {keys} pbc="F F F"']
    for k, x in zip(z, pos, strict=True):
        lines.append(f"{chemical_symbols[k]:<2} " + " ".join(f"{value:16.8f}" for value in x))
    return "\n".join(lines) + "\n"


def save(path: Path, found: Sequence[Labelled], lost: Sequence[tuple[str, str]] = ()) -> None:
    """Write a shard; `lost` has the names of molecules without a label, and the reasons."""
    rows = [
        {"name": each.name, "z": each.z.tolist(), "pos": each.pos.tolist(), "label": each.label}
        for each in found
    ]
    for beside, content in ((".lost", lost), (".json", rows)):
        with atomic_write(path.with_suffix(beside)) as temporary:
            temporary.write_text(json.dumps(content), encoding="utf-8")
    with atomic_write(path) as temporary:  # last: it says that the shard is finished
        temporary.write_text("".join(each.frame for each in found), encoding="utf-8")


def gather(shards: Sequence[Path], path: Path, target: Target) -> int:
    """Write all frames to `path` and the molecules to the folder CACHE beside it.

    Returns the number of molecules. The folder is written once, and not for 0 molecules.
    """
    total, folder = join(shards, path), path.parent / CACHE
    if total and not folder.exists():
        rows = [row for shard in shards for row in _read(shard, ".json")]
        Molecules.from_arrays(
            [(np.array(row["z"]), np.array(row["pos"])) for row in rows],
            np.array([row["label"] for row in rows]),
            [target],
            ids=[row["name"] for row in rows],
        ).save(folder)
    return total


def left_out(shards: Sequence[Path], folder: Path, total: int) -> int:
    """Write the molecules without a label to LEFT_OUT in a folder; returns their number.

    Raises InputError if `total`, the number of those with one, is 0.
    """
    lost = [row for shard in shards for row in _read(shard, ".lost")]
    with (
        atomic_write(folder / LEFT_OUT) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        csv.writer(file).writerows([("molecule", "reason"), *lost])
    if not total:
        raise InputError(f"no molecule could be labelled: see {folder / LEFT_OUT}.")
    return len(lost)


def _read(shard: Path, beside: str) -> list:
    return json.loads(shard.with_suffix(beside).read_text(encoding="utf-8"))
