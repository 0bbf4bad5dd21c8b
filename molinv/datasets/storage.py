"""Store arrays in a folder of .npy files, with a meta.json that has their SHA-256.

A folder is written atomically: a reader sees all of it or nothing. Before the arrays are
memory-mapped, the SHA-256 of every file is compared with meta.json, so that a truncated or edited
file is an error and never a wrong number (0.05 s for QM9's 60 MB). No pickle is read or written.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from pathlib import Path
from typing import Any

import numpy as np

from ..atomic import SEAL, seal
from ..errors import InputError

FORMAT = "molinv.molecules/1"


def write(folder: str | Path, arrays: dict[str, np.ndarray], meta: dict[str, Any]) -> None:
    """Write arrays and meta to a temporary folder, and rename it to `folder`.

    If `folder` exists (another process was first), it is left unchanged. Raises InputError if it
    holds other data, or if it cannot be written.
    """
    folder = Path(folder)
    temporary = folder.parent / f".{folder.name}.{uuid.uuid4().hex}"
    try:
        temporary.mkdir(parents=True)
        sums = {}
        for name, array in arrays.items():
            path = temporary / f"{name}.npy"
            np.save(path, array, allow_pickle=False)
            sums[name] = _digest(path)
        meta = {"format": FORMAT, **meta, "sha256": sums}
        meta[SEAL] = seal(meta)
        text = json.dumps(meta, indent=1) + "\n"
        (temporary / "meta.json").write_text(text, encoding="utf-8")
        try:
            os.rename(temporary, folder)
        except OSError:
            if not folder.exists():
                raise
            if read_meta(folder)[SEAL] != meta[SEAL]:
                raise InputError(
                    f"{folder} holds other data: remove it or save under another name."
                ) from None
    except OSError as error:
        raise InputError(f"cannot write {folder}: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def read_meta(folder: Path) -> dict[str, Any]:
    """The content of meta.json, after its seal was checked; raises InputError if damaged."""
    try:
        meta = json.loads((folder / "meta.json").read_bytes())
    except OSError:
        raise InputError(
            f"{folder} is not a data set: expected a folder with meta.json, as Molecules.save "
            "writes it."
        ) from None
    except ValueError:
        raise _damaged(folder, "meta.json") from None
    if not isinstance(meta, dict) or meta.get(SEAL) != seal(meta):
        raise _damaged(folder, "meta.json")
    if meta.get("format") != FORMAT:
        raise InputError(
            f"{folder} has the format {meta.get('format')}, expected {FORMAT}: "
            "remove it and make it again."
        )
    return meta


def read(folder: str | Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays, memory-mapped and read-only, and the meta of a folder that `write` made.

    Raises InputError naming the first file that is missing, truncated or edited.
    """
    folder = Path(folder)
    meta = read_meta(folder)
    arrays = {}
    for name, expected in meta["sha256"].items():
        path = folder / f"{name}.npy"
        try:
            intact = path.parent == folder and _digest(path) == expected
        except OSError:
            intact = False
        if not intact:
            raise _damaged(folder, path.name)
        try:
            arrays[name] = np.load(path, mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError):  # the digest matches, but the file is not an array
            raise _damaged(folder, path.name) from None
    return arrays, meta


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _damaged(folder: Path, file: str) -> InputError:
    return InputError(
        f"{folder} is damaged: {file} is missing, truncated or edited; "
        "remove the folder and make it again."
    )
