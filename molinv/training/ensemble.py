"""Train an ensemble of runs that differ only in their seeds, or join finished runs.

An ensemble averages over independently initialised networks, as in Lakshminarayanan et al., "Simple
and Scalable Predictive Uncertainty Estimation using Deep Ensembles" (NeurIPS 2017).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ..errors import InputError
from ..screen import messages
from . import presets
from .config import TrainConfig, read_config
from .fine_tuning import like_initial
from .members import Member, is_ensemble, read_members, write_members
from .run import as_begun, check_same, locked, train, write_config
from .saved import ENSEMBLE, Saved, load_molecules
from .source import file_digest


def train_ensemble(
    config: TrainConfig,
    members: int,
    trust: bool = False,
    workers: int = 0,
    given: Collection[str] = (),
    finish: Callable[[Path, TrainConfig], None] | None = None,
) -> Path:
    """Train `members` runs with the seeds seed, seed + 1, ... into OUT/member_0, OUT/member_1, ...

    All members have the split of `config`. Their seeds set the initial weights, the order of the
    examples and the group elements. OUT/ensemble.json makes the folder one model (see
    `members.load_model`). The same call resumes an interrupted ensemble and keeps trained members;
    a larger number of members extends it. `finish` is called with each trained member's folder and
    settings; the other arguments are those of `train`.

    Returns the folder. Raises InputError as `train` does, for fewer than two members, for fewer
    members than are trained, and if the folder holds a single run.
    """
    folder = Path(config.out)
    if members < 2:
        raise InputError(
            f"--ensemble: expected 2 or more members, got {members}: leave it out for one model."
        )
    begun = as_begun(one_device(config, "an ensemble"), folder)
    config = presets.fitted(begun, given)
    for note in presets.notes(begun, config):
        messages().print(f"note: {note}", highlight=False, markup=False)
    config, _ = like_initial(config, trust, given)
    with locked(folder):
        if (folder / "checkpoints").exists() or (folder / "model.json").exists():
            raise InputError(f"{folder} holds a run of one model: choose another --out.")
        done: dict[str, Member] = {}
        if is_ensemble(folder):
            done = {m["folder"]: m for m in read_members(folder)[1]}
            check_same(folder, config, folder / ENSEMBLE)
        if members < len(done):
            raise InputError(
                f"{folder} has {len(done)} trained members, more than {members}: give "
                f"--ensemble {len(done)} or more, or another --out."
            )
        write_config(folder, config)
        for k in range(members):
            write_members(folder, members, list(done.values()))
            name, seed = f"member_{k}", config.seed + k
            own = replace(config, seed=seed, data_seed=config.drawn_by, out=str(folder / name))
            if name in done and _trained(own, done[name]):
                continue
            done.pop(name, None)
            note = f"member {k + 1} of {members}, seed {seed}: {own.out}"
            messages().print(note, highlight=False, markup=False)
            made = train(own, trust, workers, given)
            if finish is not None:
                finish(made, own)
            done[name] = Member(folder=name, seed=seed, sha256=_sha256(made) or "")
            done = dict(sorted(done.items(), key=lambda item: int(item[0].split("_")[1])))
        write_members(folder, members, list(done.values()))
    return folder


def join(folder: str | Path, runs: Sequence[str | Path]) -> Path:
    """Join finished runs to an ensemble, which predicts the mean of their values.

    The runs may differ in architecture. They are copied to FOLDER/member_0, FOLDER/member_1, ...
    without their checkpoints; the settings of the data are those of the first run. Returns the
    folder. Raises InputError for fewer than two runs, for runs whose targets, features or splits
    differ, and for a folder that exists.
    """
    made = Path(folder)
    if len(runs) < 2:
        raise InputError(f"expected 2 or more runs to join, got {len(runs)}.")
    if made.exists():
        raise InputError(f"{made} exists already: choose another folder.")
    saved = [load_molecules(run) for run in runs]
    for run, each in zip(runs, saved, strict=True):
        for what, first, own in zip(
            ("targets", "features", "split"), *map(_facts, (saved[0], each)), strict=True
        ):
            if first != own:
                raise InputError(f"{runs[0]} and {run} differ in their {what}: {first} and {own}.")
    made.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{made.name}.", dir=made.parent) as temporary:
        part, members = Path(temporary) / made.name, []
        for k, (run, each) in enumerate(zip(runs, saved, strict=True)):
            name = f"member_{k}"
            unused = shutil.ignore_patterns("checkpoints", "tensor*")
            shutil.copytree(run, part / name, ignore=unused)
            members.append(Member(folder=name, seed=each.card["seed"], sha256=each.card["sha256"]))
        shutil.copy(Path(runs[0]) / "config.yaml", part)
        write_members(part, len(members), members)
        part.replace(made)  # an interrupted join leaves no half ensemble
    return made


def _facts(saved: Saved) -> tuple[Any, ...]:
    """The facts that all members must share: targets, features and split."""
    targets = [f"{t.name} ({t.unit})" for t in saved.task.targets]
    return targets, saved.card["build"].get("features", []), saved.card.get("split")


def one_device(config: TrainConfig, what: str) -> TrainConfig:
    """The settings with one device, which several runs in one process need.

    Raises InputError if the settings ask for several devices or machines.
    """
    if config.devices not in ("auto", "1", 1) or config.num_nodes > 1 or config.strategy != "auto":
        raise InputError(
            f"{what} trains one run after the other on one device: leave out --devices, "
            "--num_nodes and --strategy."
        )
    return replace(config, devices=1)


def _trained(config: TrainConfig, member: Member) -> bool:
    """Whether a listed member still has these settings and weights.

    Raises InputError if the data has changed since.
    """
    folder = Path(config.out)
    if (found := _card(folder)) and found.get("data_sha256") != file_digest(config):
        raise InputError(
            f"{config.data} is no longer the file that {folder} was trained on: restore it, or "
            "choose another --out."
        )
    try:
        there = replace(read_config(folder / "config.yaml"), out=config.out)
        return there == config and _sha256(folder) == member["sha256"]
    except InputError:  # `train` will report it
        return False


def _sha256(folder: Path) -> str | None:
    """The digest of a run's weights; None if there is no model."""
    return _card(folder).get("sha256")


def _card(folder: Path) -> dict[str, Any]:
    """The content of a run's model.json; empty if it is missing or damaged."""
    try:
        return dict(json.loads((folder / "model.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}
