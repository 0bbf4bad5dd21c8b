"""A grid of runs: finished ones are skipped, interrupted ones resumed, other settings refused."""

from __future__ import annotations

import csv
import gc
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import yaml
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
        # before training fills in defaults; as JSON, in which tuples are lists
        settings, test = json.loads(json.dumps([asdict(run.config), run.test]))
        result = _read(run, settings, test)
        due = result is None or count == total
        if result is None:
            _check_begun(run)
            console.print(f"[{count}/{total}] {run.label}", highlight=False)
            result = run.facts | {"settings": settings, "test": test}
            try:
                result |= run.measure()
            except Diverged as error:
                result["failed"] = str(error)
            run.path.parent.mkdir(parents=True, exist_ok=True)
            write_json(run.path, result)
            gc.collect()  # a run's data are in cycles, which Python would keep for several runs
        yield result, due


def _read(run: Run, settings: dict[str, Any], test: dict[str, Any]) -> dict[str, Any] | None:
    """The result in the run's file; None if there is no file."""
    if not run.path.is_file():
        return None
    try:
        result = json.loads(run.path.read_text(encoding="utf-8"))
        there, tested = result.get("settings"), result.get("test")
        if there is not None and not (isinstance(there, dict) and run.facts.keys() <= {*result}):
            raise ValueError("not a result of this benchmark")
    except (ValueError, AttributeError) as error:
        raise InputError(f"{run.path} is damaged: delete it and run again.") from error
    if there is None:  # earlier versions kept the settings beside the result
        check_same(Path(run.config.out), run.config, run.path, free=())
        return result
    # a setting that did not exist yet had today's default
    there = asdict(type(run.config)()) | there
    # earlier versions kept the settings of the test among the others
    pairs = [(settings, there), (test, tested)] if tested else [(settings | test, there)]
    for wanted, found in pairs:
        for name, value in wanted.items():
            if name not in FREE and found.get(name) != value:
                raise InputError(
                    f"{run.path} holds a run with {name}={found.get(name)!r}, not {value!r}: "
                    f"choose another --out, or delete {_places(run)}."
                )
    return result


def _places(run: Run) -> str:
    """What to delete to start a run again: its result, and its folder if it has one of its own."""
    own = Path(run.config.out)
    if own == run.path.parent:
        return str(own)
    return str(run.path) if own in run.path.parents else f"{run.path} and {own}"


def _check_begun(run: Run) -> None:
    """Raise InputError if a run was interrupted when it had another length.

    `train` refuses other changes. It lets a run go on for longer, which would mix two settings in
    a benchmark.
    """
    path = Path(run.config.out) / "config.yaml"
    if not path.is_file():
        return
    try:
        there = dict(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (yaml.YAMLError, ValueError, TypeError):
        raise InputError(f"{path} is damaged: delete {path.parent} and run again.") from None
    for name in ("epochs", "minutes"):
        value = getattr(run.config, name, None)
        if value is not None and name in there and there[name] != value:
            raise InputError(
                f"{path.parent} holds an interrupted run with {name}={there[name]!r}, not "
                f"{value!r}: choose another --out, or delete {_places(run)}."
            )


def history(folder: Path | str) -> list[dict[str, str]]:
    """The rows of a run's metrics.csv; empty if there is no file."""
    path = Path(folder) / "metrics.csv"
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
