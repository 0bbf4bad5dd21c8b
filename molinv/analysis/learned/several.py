"""Report section: several runs, over seeds and lambda."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from ...errors import InputError
from ...training.config import TrainConfig, read_config
from ..runs import read_history
from ..section import Section, Series

VIEWS = ("stored", "rotated")


@dataclass(frozen=True)
class Run:
    """One run folder; extents (value, unit) and errors are those of the saved model."""

    folder: Path
    config: TrainConfig
    extents: dict[str, tuple[float, str]]
    validation: dict[str, dict[str, float]]
    units: dict[str, str]
    history: list[dict[str, float]]


def several(runs: Sequence[Path]) -> Section:
    """Extents and validation errors of several runs against lambda, with a point for each seed.

    Reads config.yaml, model.json and metrics.csv. Raises InputError for a folder without a finished
    run, for fewer than two runs and for runs of different targets or distributions.
    """
    found = [read(Path(folder)) for folder in runs]
    if len(found) < 2:
        raise InputError(f"expected at least two run folders to compare, got {len(found)}.")
    first = found[0]
    for run in found[1:]:
        for what, name in (("extents", "extents"), ("units", "targets")):
            here, there = (list(getattr(r, what)) for r in (first, run))
            if here != there:
                raise InputError(
                    f"expected runs of the same {name}, got {', '.join(here)} in {first.folder} "
                    f"and {', '.join(there)} in {run.folder}."
                )
    lams, seeds = ({getattr(r.config, n) for r in found} for n in ("lam", "seed"))
    made = Section("sweep", "Several runs side by side")
    made.numbers["runs"] = [
        {"folder": r.folder.name, "lam": r.config.lam, "seed": r.config.seed}
        | {"extents": {n: {"value": v, "unit": u} for n, (v, u) in r.extents.items()}}
        | {"validation": r.validation}
        for r in found
    ]

    def chart(name: str, title: str, y: str, values: dict[str, list[float]]) -> None:
        made.chart(
            name,
            title,
            "lambda (standardised loss per nat)",
            y,
            [s for label, each in values.items() for s in _against_lam(found, label, each)],
            caption="Lines are means over seeds; bands span the smallest and the largest.",
            log_x=min(lams) > 0 and max(lams) > 10 * min(lams),
        )

    for unit in dict.fromkeys(u for _, u in first.extents.values()):
        names = [name for name, (_, each) in first.extents.items() if each == unit]
        values = {name: [r.extents[name][0] for r in found] for name in names}
        title = "Learned extents against the reward's weight"
        chart(f"sweep_extents_{unit.replace('-', '_')}", title, f"extent ({unit})", values)
    errors = {view: [_error(r, view, found) for r in found] for view in VIEWS}
    chart("sweep_errors", "Validation error against the reward's weight", _axis(found), errors)
    extents = [f"{n} ({u})" for n, (_, u) in first.extents.items()]
    columns = ["run", "lambda", "seed", *extents, *(f"error, {view}" for view in VIEWS)]
    rows = [
        [r.folder.name, r.config.lam, r.config.seed, *(v for v, _ in r.extents.values())]
        + [_error(r, view, found) for view in VIEWS]
        for r in sorted(found, key=lambda r: (r.config.lam, r.config.seed))
    ]
    made.table(f"Runs; {_axis(found)}", columns, rows)
    made.findings += _sentences(found, len(lams), len(seeds))
    return made


def read(folder: Path) -> Run:
    """Read a run folder; InputError if a file is missing or malformed."""
    config = read_config(folder / "config.yaml")
    try:
        card = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        extents = {n: (float(e["value"]), str(e["unit"])) for n, e in card["extents"].items()}
        units = {n: str(v["unit"]) for n, v in card["validation"].items()}
        validation = {n: {w: float(v[w]) for w in VIEWS} for n, v in card["validation"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{folder} has no model.json of a finished run ({type(error).__name__}): expected a "
            "folder made by `molinv train --out`."
        ) from error
    history = read_history(folder / "metrics.csv")
    if not history:
        raise InputError(f"no history in {folder}: expected metrics.csv of a training run.")
    return Run(folder, config, extents, validation, units, history)


def _error(run: Run, view: str, found: list[Run]) -> float:
    """The validation error; for several targets, the mean of errors relative to all runs' mean."""
    if len(run.units) == 1:
        return next(iter(run.validation.values()))[view]
    return mean(
        run.validation[t][view] / mean(r.validation[t]["stored"] for r in found) for t in run.units
    )


def _axis(found: list[Run]) -> str:
    units = found[0].units
    if len(units) > 1:
        return f"error relative to all runs' mean as stored, average of {len(units)} targets"
    ((name, unit),) = units.items()
    return f"mean absolute error of {name} ({unit})"


def _against_lam(found: list[Run], label: str, values: list[float]) -> list[Series]:
    """A point for each run, and the mean, smallest and largest value for each lambda."""
    at: dict[float, list[float]] = {}
    for run, value in sorted(zip(found, values, strict=True), key=lambda rv: rv[0].config.lam):
        at.setdefault(run.config.lam, []).append(value)
    x, y = zip(*((lam, value) for lam, each in at.items() for value in each), strict=True)
    middle, low, high = ([of(each) for each in at.values()] for of in (mean, min, max))
    return [
        Series(f"{label}, mean and range", list(at), middle, low, high),
        Series(f"{label}, each run", [*x], [*y], style="points"),
    ]


def _sentences(found: list[Run], lams: int, seeds: int) -> list[str]:
    made = []
    for name, (_, unit) in found[0].extents.items():
        values = [r.extents[name][0] for r in found]
        made.append(
            f"{name} ended between {min(values):.3g} and {max(values):.3g} {unit} in {len(found)} "
            f"runs ({lams} value{'s' * (lams > 1)} of lambda, {seeds} seed{'s' * (seeds > 1)})."
        )
    best = min(found, key=lambda r: _error(r, "rotated", found))
    made.append(
        f"The smallest validation error on rotated molecules is that of {best.folder.name} "
        f"(lambda {best.config.lam:g}, seed {best.config.seed})."
    )
    return made
