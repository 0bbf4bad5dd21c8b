"""predict_library: predict files of any size into one table, in constant memory."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from ...chem.parallel import finish_all
from ...chem.readers import READERS, STDIN, records
from ...chem.structure import KINDS, Rejected, Structure
from ...errors import InputError, unknown
from ...screen import messages
from ...sharing import share_cores
from ..input_columns import InputColumns
from .ahead import ahead
from .chunk import Settings, load, schema, tabulate
from .shards import Shards

T = TypeVar("T")

SUFFIXES = (".parquet", ".csv")
ENGINES = ("local", "ray")
CHUNK = 512  # rows per shard; an interruption loses at most a window of shards
_WINDOW = 4  # shards predicted together if no worker processes search conformers
_STEP = 16  # rows between two updates of the progress bar


@dataclass(frozen=True)
class Summary:
    """Result of a run.

    rows     rows of the output
    failed   rows with an error
    resumed  rows that an earlier, interrupted run had finished
    seconds  duration of this run
    """

    output: Path
    rows: int
    failed: int
    resumed: int
    seconds: float


@share_cores()
def predict_library(
    input: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    model: str | os.PathLike[str] | None = None,
    *,
    workers: int = 0,
    conformers: int = 1,
    copies: int = 8,
    targets: Sequence[str] | None = None,
    smiles_column: str | None = None,
    seed: int = 0,
    chunk: int = CHUNK,
    trust: bool = False,
    progress: bool = True,
    engine: str = "local",
    device: str = "auto",
    total: bool = False,
) -> Summary:
    """Predict every molecule of one or more files; the output has one row per molecule, in order.

    Files are those of `molinv.chem.read`. `output` ends in .parquet or .csv. Its columns are those
    of .csv inputs, then those of `chunk.tabulate`. A molecule that cannot be predicted has the
    reason in the column error.

    `workers` processes read the records and search conformers while the network runs in this
    process, on `device`. With the engine "ray", chunks are sent to a cluster instead (see
    `on_ray`). `total` adds the atom references to atomwise energies. For the other settings see
    `Settings`.

    An interrupted or killed run is resumed by the same call, after its last complete `chunk` of
    rows. Finished rows are in the folder `<output>.parts`, with either engine. Memory does not grow
    with the size of the input.

    Raises InputError before anything is predicted: for bad input as `read` does, for an output that
    another process is writing, and for one that was begun with other settings or another input.
    """
    path, files = _output(output), _files(input)
    if engine not in ENGINES:
        raise unknown("engine", engine, ENGINES)
    if chunk < 1 or copies < 1:
        raise InputError(f"expected a chunk and copies of 1 or more, got {chunk} and {copies}.")
    settings = Settings(
        model=None if model is None else os.fspath(model),
        copies=copies,
        targets=None if targets is None else tuple(targets),
        smiles_column=smiles_column,
        conformers=conformers,
        seed=seed,
        trust=trust,
        device=device,
        total=total,
    )
    settings = replace(settings, sha256=load(settings).saved.card["sha256"])
    columns, start = schema(settings), time.perf_counter()
    with _bar(progress) as bar:
        looking = bar.add_task("reading", total=None)
        count = 0
        for _ in records(files, settings.options):
            count += 1
            if count % 1000 == 0:
                bar.update(looking, completed=count)
        bar.remove_task(looking)
        key = settings.key() | _versions(settings) | {"input": [_identity(file) for file in files]}
        with Shards(path, key, count, chunk) as shards:
            done = shards.done()
            resumed = min(done * chunk, count)
            task = bar.add_task("predicting", total=count, completed=resumed)
            items = islice(records(files, settings.options), resumed, None)
            if engine == "ray":
                from .on_ray import on_ray

                parts = _parts(items, chunk, range(resumed, count, chunk))
                tables = on_ray(parts, settings, workers)
            else:
                # twice a chunk, so that the processes work while the network runs
                finished = finish_all(items, settings.options, workers, ahead=2 * chunk)
                counted = _counted(finished, bar, task)
                read = counted if workers else ahead(counted, _WINDOW * chunk)
                # a larger part has less padding after sorting by size
                many = chunk if workers else _WINDOW * chunk
                parts = _parts(read, many, range(resumed, count, many))
                tables = (
                    table.slice(start, chunk)
                    for first, part in parts
                    for table in [tabulate(part, settings, first)]
                    for start in range(0, len(part), chunk)
                )
            for index, table in enumerate(tables, done):
                shards.write(index, table)
                bar.update(task, completed=index * chunk + len(table))
            failed = shards.join(columns, InputColumns(files, smiles_column, columns.names))
    return Summary(path, count, failed, resumed, time.perf_counter() - start)


def _parts(items: Iterator[T], chunk: int, rows: Iterable[int]) -> Iterator[tuple[int, list[T]]]:
    """For each of `rows`, yield it with the next `chunk` items."""
    for first in rows:
        yield first, list(islice(items, chunk))


def _output(output: str | os.PathLike[str]) -> Path:
    path = Path(output)
    if path.suffix not in SUFFIXES:
        raise InputError(f"cannot write {path}: expected a name ending in .parquet or .csv.")
    if not path.absolute().parent.is_dir():
        raise InputError(f"cannot write {path}: its folder does not exist; make it first.")
    return path


def _files(given: Any) -> list[str]:
    """Paths of files, checked. Only files can be read again when a run is resumed."""
    one = isinstance(given, str | os.PathLike)
    files = [os.fspath(item) for item in ([given] if one else given)]
    for file in files:
        if file == STDIN:
            raise InputError(
                "a library cannot be read from standard input: write it to a file first."
            )
        if not os.path.isfile(file):
            known = " ".join(READERS)
            raise InputError(f"{file}: no such file; expected a file of molecules ({known}, .gz)")
    return files


def _identity(file: str) -> dict[str, Any]:
    with open(file, "rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {"name": os.path.basename(file), "sha256": digest}


def _versions(settings: Settings) -> dict[str, Any]:
    """Versions and digests of everything else that a row depends on."""
    from rdkit import rdBase

    predictor = load(settings)
    models = dict.fromkeys(predictor.of_kind(kind) for kind in KINDS)
    found = [each.calibration for each in models]
    text = json.dumps([None if f is None else f.content for f in found], sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest() if any(found) else None
    device = predictor.device.type  # random orientations depend on it
    return {"rdkit": rdBase.rdkitVersion, "calibration": digest, "device": device}


def _counted(
    items: Iterable[Structure | Rejected], bar: Progress, task: Any
) -> Iterator[Structure | Rejected]:
    for number, item in enumerate(items, 1):
        yield item
        if number % _STEP == 0:
            bar.advance(task, _STEP)


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.0f} rows/s" if task.speed else "")


def _bar(shown: bool) -> Progress:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate()
    screen = messages()
    return Progress(*columns, TimeRemainingColumn(), console=screen, disable=not shown)
