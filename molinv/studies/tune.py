"""Search settings by the validation error; every trial is a run, and poor trials end early.

Optuna (Akiba et al., KDD 2019) proposes values with the tree-structured Parzen estimator (Bergstra
et al., NeurIPS 2011). It prunes a trial whose validation error is above the median of earlier
trials at the same epoch. Test molecules are not used.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from rich.markup import escape
from rich.table import Table

from ..atomic import atomic_write
from ..errors import InputError
from ..screen import messages
from ..tasks.classes import Classes
from ..training import presets
from ..training.config import TrainConfig
from ..training.ensemble import one_device
from ..training.history import write_csv
from ..training.molecule_data import MoleculeData
from ..training.run import as_begun, check_same, locked, train, write_config
from ..training.source import prepare
from .space import Choice, Range, Space, configured, space, value_of

LOG, BEST, TRIALS = "trials.log", "best.yaml", "trials.csv"
NAME = "molinv"
STARTUP = 5  # finished trials before the first trial can be pruned


class _Pruned(Exception):
    """The trial is pruned: it is worse than others at this epoch."""


class _Over(Exception):
    """The time limit of the search is reached."""


@dataclass(frozen=True)
class Found:
    """The result of a search.

    rows      one for each trial, the best first
    searched  names of the settings that were searched
    config    the best settings
    sentence  a summary
    """

    rows: list[dict[str, Any]]
    searched: list[str]
    config: TrainConfig
    sentence: str


def tune(
    config: TrainConfig,
    trials: int = 20,
    minutes: float | None = None,
    search: Sequence[str] | None = None,
    trust: bool = False,
    workers: int = 0,
    given: Collection[str] = (),
) -> Found:
    """Train `trials` runs OUT/trial_0, OUT/trial_1, ...; the first has the settings of `config`.

    `search` names the settings to search (see `space.SPACE`), by default all that are not in
    `given`. After `minutes` the current trial stops at the end of an epoch, and no other begins;
    the same call resumes the search. `trust` and `workers` are passed to `train`. Writes
    OUT/trials.csv and OUT/best.yaml, a config for `molinv train`.

    Raises InputError without Optuna, for data and settings that do not fit, for a folder that
    holds another search, and if no trial could be finished.
    """
    optuna = _optuna()
    if trials < 1:
        raise InputError(f"--trials: expected 1 or more, got {trials}.")
    if minutes is not None and not minutes > 0:
        raise InputError(f"--minutes: expected a number above 0, got {minutes}.")
    folder, console = Path(config.out), messages()
    begun = as_begun(one_device(replace(config, minutes=None), "a search"), folder)
    config = presets.fitted(begun, given)
    for note in presets.notes(begun, config):
        console.print(f"note: {note}", highlight=False, markup=False)
    with locked(folder):
        check_same(folder, config, folder / LOG, free=("accelerator", "devices"))
        source = prepare(config, workers)
        task = MoleculeData(source, config).task
        ranges = space(config, task, search, given)
        study = _study(optuna, folder, config, ranges)
        if study.user_attrs.get("data", source.sha256) != source.sha256:
            raise InputError(
                f"{config.data} is no longer the file that {folder} searched with: restore it, or "
                "choose another --out."
            )
        study.set_user_attr("data", source.sha256)
        write_config(folder, config)
        over = None if minutes is None else time.monotonic() + 60 * minutes
        while (done := len(_finished(study))) < trials and (over is None or _before(over)):
            trial = study.ask(_distributions(optuna, ranges))
            name = trial.user_attrs.get("folder", f"trial_{trial.number}")
            trial.set_user_attr("folder", name)
            console.print(f"trial {done + 1} of {trials}: {_text(trial.params)}", highlight=False)
            own = replace(configured(config, trial.params), out=str(folder / name))
            if (
                ended := _run(optuna, study, trial, own, (trust, workers, given), over)
            ) is not None:
                console.print(f"  {ended}", highlight=False, markup=False)
        return _report(optuna, study, folder, config, task, minutes)


def table(found: Found) -> Table:
    """The trials, best first, as a table to print."""
    made = Table("trial", "state", title="Trials by their validation error")
    measures = list(dict.fromkeys(n for row in found.rows for n in row if n.endswith("_valid")))[:3]
    for name in ("epochs", "error", *measures):
        made.add_column(escape(name), justify="right")
    made.add_column("settings")
    for row in found.rows:
        numbers = [_cell(row.get(name)) for name in ("epochs", "error", *measures)]
        settings = _text({name: row[name] for name in found.searched})
        made.add_row(row["trial"], row["state"], *numbers, escape(settings or row["reason"]))
    return made


def _run(
    optuna: Any, study: Any, trial: Any, config: TrainConfig, how: Sequence[Any], over: float | None
) -> str | None:
    """Train a trial's run and report its result to the study; return the reason if it has none."""
    trust, workers, given = how
    state = optuna.trial.TrialState

    def watch(epoch: int, error: float) -> None:
        trial.report(error, epoch)
        if over is not None and not _before(over) and epoch != config.epochs:
            raise _Over
        if trial.should_prune():
            raise _Pruned

    try:
        train(config, trust, workers, given, watch)
    except _Pruned:
        study.tell(trial, state=state.PRUNED)
        return "pruned: its validation error is above the median of the trials so far"
    except _Over:
        trial.set_user_attr("interrupted", True)
        study.tell(trial, state=state.FAIL)
        return "the time limit is reached; the same command resumes this trial"
    except InputError as error:
        trial.set_user_attr("reason", str(error))
        study.tell(trial, state=state.FAIL)
        return f"failed: {error}"
    except BaseException:  # Ctrl-C and SIGTERM; a killed process leaves the trial as running
        trial.set_user_attr("interrupted", True)
        study.tell(trial, state=state.FAIL)
        raise
    errors = _reported(study, trial.user_attrs["folder"]).values()
    if not errors:
        lost = "its process was killed before its errors were recorded"
        trial.set_user_attr("reason", lost)
        study.tell(trial, state=state.FAIL)
        return f"failed: {lost}"
    study.tell(trial, min(errors))
    return None


def _report(
    optuna: Any, study: Any, folder: Path, config: TrainConfig, task: Any, minutes: float | None
) -> Found:
    """Write trials.csv and best.yaml, and return the result of the search."""
    done = _finished(study)
    complete = [t for t in done if t.state == optuna.trial.TrialState.COMPLETE]
    if not complete:
        why = next((t.user_attrs["reason"] for t in done if "reason" in t.user_attrs), None)
        raise InputError(
            f"no trial could be trained; the first: {why}"
            if why
            else f"no trial was finished in {minutes:g} minutes: run the same command again to "
            "resume, with more --minutes or fewer --epochs."
        )
    best = min(complete, key=lambda t: t.value)
    last = {t.user_attrs["folder"]: t for t in study.trials if "folder" in t.user_attrs}
    rows = [_row(t, _reported(study, name), folder) for name, t in last.items()]
    rows.sort(key=lambda row: (row["state"] != "complete", row["error"] or float("inf")))
    write_csv(folder / TRIALS, rows)
    chosen = replace(configured(config, best.params), out=str(folder / "best"))
    with atomic_write(folder / BEST) as temporary:
        temporary.write_text(yaml.safe_dump(asdict(chosen), sort_keys=False), encoding="utf-8")
    return Found(rows, list(best.params), chosen, _sentence(study, config, task, best, done))


def _sentence(study: Any, config: TrainConfig, task: Any, best: Any, done: Sequence[Any]) -> str:
    what = "log loss" if isinstance(task, Classes) else "error in units of the targets' spread"
    first = next((t for t in done if t.user_attrs["folder"] == "trial_0"), None)
    usual = None if first is None else min(_reported(study, "trial_0").values(), default=None)
    head = f"Of {len(done)} trials {best.user_attrs['folder']} has the lowest validation {what}"
    if best.user_attrs["folder"] == "trial_0":
        return f"{head}, {best.value:.4g}: no trial was better than the initial settings."
    differing = {n: v for n, v in best.params.items() if v != value_of(config, n)}
    against = ""
    if usual is not None and usual > 0:
        share = 1 - best.value / usual
        against = f", {share:.1%} lower than the {usual:.4g} of the initial settings"
    return (
        f"{head}, {best.value:.4g}{against}: {_text(differing)}. The lowest of many validation "
        "errors is optimistic: compare both settings with `molinv crossvalidate`."
    )


def _row(trial: Any, reported: Mapping[int, float], folder: Path) -> dict[str, Any]:
    """A row of trials.csv."""
    state = "interrupted" if trial.user_attrs.get("interrupted") else trial.state.name.lower()
    error = trial.value if trial.value is not None else min(reported.values(), default=None)
    row = {"trial": trial.user_attrs["folder"].removeprefix("trial_"), "state": state}
    row |= {"epochs": max(reported, default=0), "error": error} | trial.params
    try:
        card = json.loads((folder / trial.user_attrs["folder"] / "model.json").read_text("utf-8"))
        row |= {f"{n}_valid": v["stored"] for n, v in card["validation"].items()}
    except (OSError, ValueError, LookupError):  # stopped before the end of its first epoch
        pass
    return row | {"reason": trial.user_attrs.get("reason", "")}


def _study(optuna: Any, folder: Path, config: TrainConfig, ranges: Space) -> Any:
    """The folder's study; the initial settings or interrupted trials are next in its queue."""
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    described = {name: list(asdict(each).values()) for name, each in ranges.items()}
    text = json.dumps(described)
    try:
        storage = JournalStorage(JournalFileBackend(str(folder / LOG)))
        study = optuna.create_study(study_name=NAME, storage=storage, load_if_exists=True)
        before = study.user_attrs.get("space")
        study.sampler = optuna.samplers.TPESampler(seed=config.seed + len(study.trials))
    except (ValueError, LookupError, TypeError) as error:
        raise InputError(
            f"{folder / LOG} is damaged ({error}): delete it, or choose another --out."
        ) from error
    if before not in (None, text):
        raise InputError(
            f"{folder} holds a search of {', '.join(json.loads(before))} in other ranges: give the "
            "same settings and --search, or choose another --out."
        )
    warm = max(1, (config.epochs or 1) // 5)
    study.pruner = optuna.pruners.MedianPruner(STARTUP, n_warmup_steps=warm)
    if before is None:
        study.set_user_attr("space", text)
        study.enqueue_trial({name: value_of(config, name) for name in ranges})
    state, last = optuna.trial.TrialState, dict[str, Any]()
    for t in study.trials:
        if t.state == state.RUNNING:  # its process was killed
            study.tell(t.number, state=state.FAIL)
        if "folder" in t.user_attrs:
            last[t.user_attrs["folder"]] = t
    for name, t in last.items():
        interrupted = t.state == state.FAIL and t.user_attrs.get("interrupted")
        if t.state == state.RUNNING or interrupted:
            study.enqueue_trial(t.params, user_attrs={"folder": name})
    return study


def _finished(study: Any) -> list[Any]:
    """Trials with a result: complete, pruned or failed."""
    return [
        t
        for t in study.trials
        if t.state.is_finished()
        and "folder" in t.user_attrs
        and (t.state.name != "FAIL" or "reason" in t.user_attrs)
    ]


def _reported(study: Any, name: str) -> dict[int, float]:
    """The validation error of each epoch of a trial's run, before and after interruptions."""
    trials = [t for t in study.trials if t.user_attrs.get("folder") == name]
    return {epoch: error for t in trials for epoch, error in t.intermediate_values.items()}


def _distributions(optuna: Any, ranges: Space) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, each in ranges.items():
        if isinstance(each, Choice):
            made[name] = optuna.distributions.CategoricalDistribution(each.values)
        else:
            assert isinstance(each, Range)
            made[name] = optuna.distributions.FloatDistribution(each.low, each.high, log=True)
    return made


def _optuna() -> Any:
    try:
        import optuna
    except ImportError:
        raise InputError("tune needs optuna: pip install 'molinv[tune]'.") from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def _before(over: float) -> bool:
    return time.monotonic() < over


def _text(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_cell(value)}" for name, value in values.items())


def _cell(value: Any) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
