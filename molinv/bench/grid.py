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

FREE = ("out", "root")  # settings that say where files are


@dataclass(frozen=True)
class Run:
    """One run of a grid.

    label    printed before it starts
    path     its result, a JSON file with its settings
    config   the training settings, a dataclass with defaults
    measure  trains, or resumes training, in `config.out`, and returns the result
    test     settings of the measurement
    facts    stored with the result, also where the run diverged
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
    """Each run's result, from its file or newly made, and whether it is time for a report.

    A report is due after each new run and after the last one. A diverged run has a result too,
    with its error as "failed". Raises InputError where a result was made with other settings.
    """
    for count, run in enumerate(runs, 1):
        settings = asdict(run.config) | run.test  # before training fills in what was not given
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
    """The result in the run's file; None if there is none."""
    if not run.path.is_file():
        return None
    try:
        result = json.loads(run.path.read_text(encoding="utf-8"))
        there = result.get("settings")
    except (ValueError, AttributeError) as error:
        raise InputError(f"{run.path} is damaged: delete it, and measure again.") from error
    if there is None:  # earlier versions kept the settings beside the result
        check_same(Path(run.config.out), run.config, run.path, free=())
        return result
    # a setting that was added later was at its default
    there = asdict(type(run.config)()) | there
    for name, value in settings.items():
        if name not in FREE and there.get(name) != value:
            raise InputError(
                f"{run.path} holds a run with {name}={there.get(name)!r}, not {value!r}: choose "
                f"another --out, or delete it and {run.config.out}."
            )
    return result


def history(folder: Path | str) -> list[dict[str, str]]:
    """The rows of a run's metrics.csv; none if there is no such file."""
    path = Path(folder) / "metrics.csv"
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
