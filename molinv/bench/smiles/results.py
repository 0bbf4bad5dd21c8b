"""Errors on the molecules that every program predicted, and paired differences over seeds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import sqrt
from statistics import mean, stdev
from typing import Any

import numpy as np
from jaxtyping import Float64

from ...studies.compare import paired
from .cells import Cell

# MAE in meV of ensembles of five models, from SMILES (JacksonBurns/chemeleon)
PUBLISHED = {
    "chemprop, 5 models (published)": {"homo": 87, "lumo": 95, "gap": 106, "U0": 153},
    "CheMeleon, 5 models (published)": {"homo": 68, "lumo": 68, "gap": 87, "U0": 162},
}
ENOUGH = 0.6  # cores used on average; less than 1, because starting waits for the disk
Results = dict[Cell, dict[str, list[dict[str, Any]]]]  # models by program


@dataclass(frozen=True)
class Scores:
    """One method on one cell: MAE and RMSE by target, and seconds of training.

    missing     number of test molecules without a prediction
    diverged    number of models without a result
    """

    mae: dict[str, float]
    rmse: dict[str, float]
    missing: int
    diverged: int
    seconds: float


Scored = dict[Cell, dict[tuple[str, int], Scores]]  # by program and number of models


def called(program: str, models: int) -> str:
    """Name of the method in a table."""
    name = {"init": "molinv --init", "shipped": "molinv, shipped model"}.get(program, program)
    return name if models == 1 else f"{name}, {models} models"


def score(
    cell: Cell, programs: dict[str, list[dict[str, Any]]], ensemble: int
) -> dict[tuple[str, int], Scores]:
    """Scores of every program's first model, and of the mean of all its models.

    Only molecules that all programs predicted count. Keys are program and number of models; a
    diverged model is not in the mean.
    """
    truth = cell.test()[1]
    done = {name: good for name, runs in programs.items() if (good := _good(runs))}
    values = {name: _values(cell, runs) for name, runs in done.items()}
    known = {name: ~np.isnan(v).any((0, 2)) for name, v in values.items()}
    common = np.logical_and.reduce([*known.values()])
    made = {}
    for name, each in values.items():
        diverged = len(programs[name]) - len(done[name])
        for models in sorted({1, ensemble} & {1, len(each) + diverged}):
            errors = (each[:models].mean(0) - truth)[common]
            seconds = sum(run["seconds"] * len(run["predictions"]) for run in done[name])
            made[name, models] = Scores(
                dict(zip(cell.units, np.abs(errors).mean(0).tolist(), strict=True)),
                dict(zip(cell.units, np.sqrt((errors**2).mean(0)).tolist(), strict=True)),
                int((~known[name]).sum()),
                diverged,
                seconds * models / len(each),
            )
    return made


def _good(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [run for run in runs if "failed" not in run]


def _values(cell: Cell, runs: list[dict[str, Any]]) -> Float64[np.ndarray, "m n t"]:
    """Predictions of each model, NaN where missing."""
    models = [model for run in runs for model in run["predictions"]]
    return np.array([np.array([m[t] for t in cell.units], np.float64).T for m in models])


def summarise(results: Results, ensemble: int) -> list[dict[str, Any]]:
    """One row per set, split, target and method: means and standard errors over seeds.

    `minus` is the method's MAE minus that of chemprop with as many models, paired by seed. It has
    the standard error and the p values of the paired t-test, corrected for overlapping training
    sets and uncorrected (see `studies.compare`). None for chemprop itself and for one seed.
    """
    groups: dict[tuple[str, str], Scored] = {}
    for cell, programs in results.items():
        groups.setdefault((cell.set, cell.split), {})[cell] = score(cell, programs, ensemble)
    rows = []
    for (name, split), cells in groups.items():
        methods = list(dict.fromkeys(key for found in cells.values() for key in found))
        for target, unit in next(iter(cells)).units.items():
            shared = {"set": name, "split": split, "target": target, "unit": unit}
            rows += [shared | _row(cells, method, target) for method in methods]
            if name == "qm9":
                rows += [shared | row for row in _published(target)]
    return rows


def _row(cells: Scored, method: tuple[str, int], target: str) -> dict[str, Any]:
    """One method's errors for a target."""
    found = {cell: scores[method] for cell, scores in cells.items() if method in scores}
    rival, each = ("chemprop", method[1]), list(found.values())
    pairs = [
        (scores.mae[target], cells[cell][rival].mae[target])
        for cell, scores in found.items()
        if rival in cells[cell]
    ]
    sizes = [cell.sizes() for cell in found]
    share = mean(of["test"] / of["train"] for of in sizes)
    return {
        "method": called(*method),
        "seeds": len(each),
        "mae": _spread([scores.mae[target] for scores in each]),
        "rmse": _spread([scores.rmse[target] for scores in each]),
        "minus": None if method == rival else _paired(pairs, share),
        "missing": sum(scores.missing for scores in each),
        "diverged": sum(scores.diverged for scores in each),
        "minutes": mean(scores.seconds for scores in each) / 60,
        "each": {cell.seed: scores.mae[target] for cell, scores in found.items()},
    }


def _published(target: str) -> Iterator[dict[str, Any]]:
    for method, values in PUBLISHED.items():
        yield {"method": method, "seeds": 0, "mae": [values[target], None], "published": True}


def _spread(values: list[float]) -> list[float | None]:
    """Mean and standard error; the latter is None for a single value."""
    return [mean(values), stdev(values) / sqrt(len(values)) if len(values) > 1 else None]


def _paired(pairs: list[tuple[float, float]], share: float) -> dict[str, float] | None:
    """Mean difference, its standard error, and p values, corrected and uncorrected."""
    if len(pairs) < 2:
        return None
    mine, theirs = (np.array(side) for side in zip(*pairs, strict=True))
    found = paired("", "MAE", "", theirs, mine, share)
    error = found.std / sqrt(len(pairs))
    return {"mean": found.difference, "error": error, "p": found.p, "plain": found.plain}


def failures(results: Results) -> list[list[Any]]:
    """Missing predictions and failed runs: set, split, seed, program, SMILES and reason.

    One row per molecule, however many of the program's models lack it.
    """
    made = []
    for cell, programs in results.items():
        smiles = cell.test()[0]
        for program, runs in programs.items():
            where = [cell.set, cell.split, cell.seed, program]
            made += [[*where, "", run["failed"]] for run in runs if "failed" in run]
            reasons = {k: v for run in _good(runs) for k, v in run["reasons"].items()}
            made += [[*where, smiles[int(k)], reasons[k]] for k in sorted(reasons, key=int)]
    return made


def crowded(results: Results) -> str | None:
    """A warning if other programs used the cores during runs; None otherwise."""
    runs = [run for programs in results.values() for found in programs.values() for run in found]
    shares = [run["busy"] / run["wall"] for run in runs if "busy" in run]
    if not shares or min(shares) >= ENOUGH:
        return None
    return (
        f"Runs used {min(shares):.2f} to {max(shares):.2f} cores on average. Other programs used "
        "the cores too, so equal times are not equal work: measure on an idle machine."
    )
