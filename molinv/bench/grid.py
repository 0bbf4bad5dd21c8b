"""A grid of runs: finished ones are skipped, interrupted ones resumed, other settings refused."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from ..errors import InputError
from ..training.module import Diverged
from ..training.run import check_same
from ..training.saved import write_json

FREE = ("out", "root")  # paths, which may differ between calls


@dataclass(frozen=True)
class Run:
    """One run of a grid.

    label    text printed before the run starts
    path     JSON file with the result and its settings
    config   training settings, a dataclass with defaults
    measure  trains in `config.out`, or resumes training, and returns the result
    test     settings of the measurement
    facts    further content of the result, also if the run diverged
    """

    label: str
    path: Path
    config: Any
    measure: Callable[[], dict[str, Any]]
    test: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


def finish(
    runs: Iterable[Run], total: int, console: Console
) -> Iterator[tuple[dict[str, Any], bool]]:
    """Yield each run's result, from its file or newly measured, and whether a report is due.

    A report is due after each new run and after the last run. A diverged run has a result with its
    error as "failed". Raises InputError for a result with other settings.
    """
    for count, run in enumerate(runs, 1):
        settings = asdict(run.config) | run.test  # before training fills in defaults
        result = _read(run, settings)
        due = result is None or count == total
        if result is None:
            console.print(f"[{count}/{total}] {run.label}", highlight=False)
            result = run.facts | {"settings": settings}
            try:
                result |= run.measure()
            except Diverged as error:
                result["failed"] = str(error)
            run.path.parent.mkdir(parents=True, exist_ok=True)
            write_json(run.path, result)
        yield result, due


def _read(run: Run, settings: dict[str, Any]) -> dict[str, Any] | None:
    """The result in the run's file; None if there is no file."""
    if not run.path.is_file():
        return None
    try:
        result = json.loads(run.path.read_text(encoding="utf-8"))
        there = result.get("settings")
    except (ValueError, AttributeError) as error:
        raise InputError(f"{run.path} is damaged: delete it and run again.") from error
    if there is None:  # earlier versions kept the settings beside the result
        check_same(Path(run.config.out), run.config, run.path, free=())
        return result
    # a setting that did not exist yet had today's default
    there = asdict(type(run.config)()) | there
    for name, value in settings.items():
        if name not in FREE and there.get(name) != value:
            raise InputError(
                f"{run.path} holds a run with {name}={there.get(name)!r}, not {value!r}: choose "
                f"another --out, or delete it and {run.config.out}."
            )
    return result


def history(folder: Path | str) -> list[dict[str, str]]:
    """The rows of a run's metrics.csv; empty if there is no file."""
    path = Path(folder) / "metrics.csv"
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
