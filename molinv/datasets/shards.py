"""A set that worker processes compute in shards, so that an interrupted run is resumed."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64

from ..atomic import atomic_write
from ..errors import InputError
from ..screen import messages
from .molecules import Molecules

SHARD = 16  # molecules
SHARDS, SETTINGS = "shards", "settings.json"
CACHE = "molecules"  # the same molecules as a folder of a data set
THREADS = "OMP_NUM_THREADS"
Molecule = tuple[str, np.ndarray, np.ndarray]  # its id, z and pos


def check_count(molecules: Molecules, count: int, workers: int) -> None:
    """Raises InputError for more molecules than there are, and fewer than 0 processes."""
    if count > len(molecules):
        raise InputError(f"expected at most {len(molecules):,} molecules, got {count}.")
    check_workers(workers)


def check_workers(workers: int) -> None:
    """Raises InputError for fewer than 0 processes."""
    if workers < 0:
        raise InputError(f"expected 0 worker processes or more, got {workers}.")


def planned(folder: Path, count: int) -> tuple[list[Path], list[tuple[range, Path]]]:
    """The paths of all shards of `count` molecules, and what to do: their numbers and a path.

    Makes the folder of the shards. Finished shards are not to be done again.
    """
    (folder / SHARDS).mkdir(parents=True, exist_ok=True)
    parts = [range(start, min(start + SHARD, count)) for start in range(0, count, SHARD)]
    paths = [folder / SHARDS / f"{numbers.start:08d}.extxyz" for numbers in parts]
    both = zip(parts, paths, strict=True)
    return paths, [(numbers, path) for numbers, path in both if not path.is_file()]


def check_same(folder: Path, settings: dict[str, Any]) -> None:
    """Write a set's settings, before its shards.

    Raises InputError where the folder holds a set with other settings, or files of unknown origin.
    """
    path, made = folder / SETTINGS, json.dumps(settings, indent=1)
    if path.is_file() and path.read_text(encoding="utf-8") != made:
        raise InputError(
            f"{folder} holds a set with other settings ({SETTINGS}): choose another --out, or "
            "delete that folder."
        )
    there = [name for name in (SHARDS, CACHE) if (folder / name).exists()]
    if there and not path.is_file():
        raise InputError(
            f"{folder} holds {there[0]} of unknown origin, without {SETTINGS}: choose another "
            "--out, or delete that folder."
        )
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        temporary.write_text(made, encoding="utf-8")


def source(molecules: Molecules) -> dict[str, Any]:
    """What says in a set's settings which molecules it was drawn from."""
    digest = hashlib.sha256()
    for array in (molecules.ptr, molecules.z, molecules.pos):
        digest.update(np.ascontiguousarray(array).tobytes())
    return {"of": len(molecules), "source": digest.hexdigest()[:16]}


def some(molecules: Molecules, chosen: Int64[np.ndarray, " m"], start: int) -> list[Molecule]:
    """The molecules of the shard that begins with the one numbered `start`."""
    made = []
    for i in chosen[start : start + SHARD]:
        z, pos = molecules.molecule(i)
        made.append((molecules.ids[int(i)], np.array(z), np.array(pos)))
    return made


def run(
    work: Callable[..., None], tasks: Sequence[tuple[Any, ...]], workers: int, title: str
) -> None:
    """Call `work(*task)` for every task with a progress bar; with 0 workers in this process.

    `work` is a function of a module: processes are spawned, each with one OpenMP thread.
    """
    from rich.progress import track

    def bar(items):
        screen = messages()
        how: Any = {"console": screen, "transient": True, "disable": not screen.is_terminal}
        return track(items, title, total=len(tasks), **how)

    if workers == 0:
        for task in bar(tasks):
            work(*task)
        return
    spawned = multiprocessing.get_context("spawn")
    with _one_thread(), ProcessPoolExecutor(workers, spawned) as pool:
        try:
            for done in bar(as_completed([pool.submit(work, *task) for task in tasks])):
                done.result()
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def join(shards: Sequence[Path], path: Path) -> int:
    """Write the shards' extended XYZ as one file; returns the number of its frames."""
    total = 0
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        for name in shards:
            text = name.read_bytes()
            total += text.count(b"Properties=")
            file.write(text)
    return total


@contextmanager
def _one_thread() -> Iterator[None]:
    """Give the processes started here one OpenMP thread each: with more they are slower."""
    before = os.environ.get(THREADS)
    os.environ[THREADS] = "1"  # a process reads this when it loads its libraries
    try:
        yield
    finally:
        os.environ.pop(THREADS)
        if before is not None:
            os.environ[THREADS] = before
