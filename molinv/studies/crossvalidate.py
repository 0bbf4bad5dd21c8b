"""Cross-validation: every fold is a separate run, and every molecule is predicted once."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from rich.markup import escape
from rich.table import Table

from ..atomic import edited
from ..errors import InputError
from ..prediction.evaluate import evaluate
from ..screen import messages
from ..training import presets
from ..training.config import TrainConfig, read_config
from ..training.ensemble import one_device, train_ensemble
from ..training.fine_tuning import like_initial
from ..training.members import load_model
from ..training.run import as_begun, check_same, locked, train, write_config
from ..training.saved import sealed, write_json
from ..training.source import check_readable, file_digest
from .out_of_fold import write_predictions

FILE = "cv.json"
FORMAT = 1
Result = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """The settings of a cross-validation.

    folds    number of folds
    seeds    number of repetitions, each with new folds and new initial weights
    members  members of an ensemble in every fold; None for a single model
    copies   group elements over which test predictions are averaged
    """

    folds: int = 5
    seeds: int = 1
    members: int | None = None
    copies: int = 8


def crossvalidate(
    config: TrainConfig,
    plan: Plan,
    trust: bool = False,
    workers: int = 0,
    given: Collection[str] = (),
) -> Result:
    """Train a run for each fold and seed, and measure it on its test molecules.

    `config.split` chooses how folds are made: random (all rows of a molecule in one fold),
    scaffold or column:NAME. The run of seed s and fold k is OUT/seed_s/fold_k. A fold that cannot
    be trained or measured is listed with its reason, and the other folds continue. The same call
    again resumes the cross-validation and keeps finished folds; more seeds extend it. `trust`,
    `workers` and `given` are passed to `train`.

    Returns the content of OUT/cv.json. Also writes OUT/predictions.csv, with the prediction of
    each molecule by the fold that held it out. Raises InputError for settings that do not fit, for
    a folder that holds another cross-validation, for a file that cannot be read, and if no fold
    could be trained.
    """
    folder, by = Path(config.out), config.split
    _check(config, plan)
    console, results = messages(), list[Result]()
    begun = as_begun(one_device(config, "a cross-validation"), folder)
    config = presets.fitted(begun, given)
    for note in presets.notes(begun, config):
        console.print(f"note: {note}", highlight=False, markup=False)
    config, _ = like_initial(config, trust, given)
    with locked(folder):
        done = _done(folder, config, plan)
        if not done:
            check_readable(config, workers)
        write_config(folder, config)
        kept = dict(done)
        step = plan.members or 1  # members of different repetitions have different seeds
        pairs = [(s, k) for s in range(plan.seeds) for k in range(1, plan.folds + 1)]
        for s, k in pairs:
            seed = config.seed + s * step
            split = f"fold:{k}/{plan.folds}" + ("" if by == "random" else f":{by}")
            out = folder / f"seed_{seed}" / f"fold_{k}"
            own = replace(config, seed=seed, split=split, out=str(out))
            result = done.get((seed, k))
            if result is None or not _finished(own, result, trust, given):
                console.print(f"fold {k} of {plan.folds}, seed {seed}: {out}", highlight=False)
                result = _measured(own, plan, (trust, workers, given)) | {"seed": seed, "fold": k}
                if "reason" in result:
                    console.print(f"  left out: {result['reason']}", highlight=False, markup=False)
            kept[seed, k] = result
            results = list(kept.values())
            if any("errors" in r for r in results):
                write_json(folder / FILE, sealed(_summed(config, plan, results)))
        if not any("errors" in r for r in results):
            raise InputError(f"no fold could be trained; the first: {results[0]['reason']}")
        write_predictions(folder, config, results)
    return _summed(config, plan, results)


def read_results(folder: str | Path) -> Result:
    """The content of cv.json in a folder; raises InputError if it is missing or damaged."""
    path = Path(folder) / FILE
    if not path.is_file():
        raise InputError(
            f"no cross-validation in {folder}: expected a folder that `molinv crossvalidate --out` "
            "made."
        )
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        sound = found["format"] == FORMAT and not edited(found) and "folds" in found
    except (ValueError, LookupError, TypeError) as error:
        raise InputError(f"{path} is damaged ({error}): run its command again.") from error
    if not sound:
        raise InputError(f"{path} was edited, or is of another version: run its command again.")
    return found


def table(found: Result) -> Table:
    """A table of errors by target: mean, standard deviation, lowest and highest of the folds."""
    n = sum("errors" in r for r in found["results"])
    seeds = len({r["seed"] for r in found["results"]})
    title = f"Test errors of {n} runs: {found['folds']} folds by {found['by']}"
    made = Table(title=title + (f", {seeds} seeds" if seeds > 1 else ""))
    for name in ("target", "measure"):
        made.add_column(name)
    for name in ("mean", "std", "lowest", "highest", "folds"):
        made.add_column(name, justify="right")
    for name, row in found["targets"].items():
        unit = f", {row['unit']}" if row["unit"] else ""
        numbers = [row[k] for k in ("mean", "std", "lowest", "highest")]
        shown = ["-" if x is None else f"{x:.4g}" for x in numbers]
        made.add_row(escape(name), escape(row["measure"] + unit), *shown, str(row["folds"]))
    return made


def notes(found: Result) -> list[str]:
    """A sentence on each fold that was left out, or that has no error of a target."""
    made = []
    for r in found["results"]:
        where = f"seed {r['seed']}, fold {r['fold']}"
        if "reason" in r:
            made.append(f"{where} was left out: {r['reason']}")
            continue
        for name, value in r["errors"].items():
            if value is None:
                made.append(
                    f"{where} has no {found['targets'][name]['measure']} of {name!r}: its test "
                    "part has one class, or no values."
                )
    return made


def _check(config: TrainConfig, plan: Plan) -> None:
    if plan.folds < 2:
        raise InputError(f"--folds: expected 2 or more, got {plan.folds}.")
    if plan.seeds < 1:
        raise InputError(f"--seeds: expected 1 or more, got {plan.seeds}.")
    if plan.copies < 1:
        raise InputError(f"--copies: expected 1 or more, got {plan.copies}.")
    if config.test is not None:
        raise InputError("folds are made of one file: leave out --valid and --test.")
    if config.split.partition(":")[0] not in ("random", "scaffold", "column"):
        raise InputError(
            f"--split {config.split} does not make folds: expected random, scaffold or column:NAME."
        )


def _done(folder: Path, config: TrainConfig, plan: Plan) -> dict[tuple[int, int], Result]:
    """The measured folds of an earlier call.

    Raises InputError if that call had other settings (except those in `run.FREE`) or other data.
    """
    if not (folder / FILE).is_file():
        return {}
    found = read_results(folder)
    check_same(folder, config, folder / FILE)
    asked = {"folds": plan.folds, "members": plan.members, "copies": plan.copies}
    for name, value in asked.items():
        if found[name] != value:
            raise InputError(
                f"{folder} holds a cross-validation with {name}={found[name]}, not {value}: choose "
                "another --out, or delete that folder."
            )
    if found.get("data_sha256") not in (None, file_digest(config)):
        raise InputError(
            f"{config.data} is no longer the file that {folder} was cross-validated on: restore "
            "it, or choose another --out."
        )
    return {(r["seed"], r["fold"]): r for r in found["results"] if "errors" in r}


def _finished(config: TrainConfig, result: Result, trust: bool, given: Collection[str]) -> bool:
    """Whether the folder of a measured fold still has these settings and weights."""
    folder = Path(config.out)
    try:
        there = replace(read_config(folder / "config.yaml"), out=config.out)
        same = there == like_initial(config, trust, given)[0] or there == config
        return same and load_model(folder, trust).card["sha256"] == result["sha256"]
    except InputError:  # training will report it
        return False


def _measured(config: TrainConfig, plan: Plan, how: Sequence[Any]) -> Result:
    """Train a fold and return its test errors, or the reason why there are none."""
    trust, workers, given = how
    try:
        if plan.members is None:
            folder = train(config, trust, workers, given)
        else:
            folder = train_ensemble(config, plan.members, trust, workers, given)
        found = evaluate(folder, plan.copies, trust=True)  # this call has just trained the model
        card = load_model(folder, True).card
    except InputError as error:
        return {"reason": str(error)}
    units, errors, more = {}, {}, {}
    for name, row in found["targets"].items():
        value = float(row["averaged"])
        units[name], errors[name] = row["unit"], value if isfinite(value) else None
        more[name] = (row.get("metrics") or {}).get("averaged")
    result = {"split": card["split"], "sha256": card["sha256"], "units": units, "errors": errors}
    return result | {"metrics": more, "molecules": card["molecules"]}


def _summed(config: TrainConfig, plan: Plan, results: Sequence[Result]) -> Result:
    """The content of cv.json."""
    good = [r for r in results if "errors" in r]
    units = {name: unit for r in good for name, unit in r["units"].items()}
    targets = {}
    for name, unit in units.items():
        values = [r["errors"][name] for r in good if r["errors"].get(name) is not None]
        ranks = unit == "ROC-AUC"
        targets[name] = {
            "measure": "ROC-AUC" if ranks else "MAE",
            "unit": "" if ranks else unit,
            "mean": _of(values, np.mean),
            "std": float(np.std(values, ddof=1)) if len(values) > 1 else None,
            "lowest": _of(values, np.min),
            "highest": _of(values, np.max),
            "folds": len(values),
        }
    return {
        "format": FORMAT,
        "data": config.data,
        "data_sha256": file_digest(config),
        "by": config.split,
        **{k: v for k, v in asdict(plan).items() if k != "seeds"},
        "targets": targets,
        "results": list(results),
    }


def _of(values: Sequence[float], what: Callable[[Any], Any]) -> float | None:
    return float(what(values)) if values else None
