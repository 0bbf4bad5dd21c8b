"""Fine-tuning: a run that starts with the architecture and the weights of a trained model."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields, replace

import torch

from ..augment import Augmented
from ..chem.descriptors import Descriptors
from ..datasets.features import DESCRIPTORS
from ..errors import InputError
from ..models.base import Model
from ..tasks.base import Task
from .build import AUXILIARY
from .config import TrainConfig
from .members import first_member
from .saved import Saved, load_molecules, rebuilt
from .shipped import locate

FEATURES = "model.known."  # weights that start at 0, so that new features have no effect at first
SAID = "model.known.said."  # weights fitted to the targets; a trained model has learned the rest
TAKEN = ("model", "model_args", "group", "distribution", "distribution_args")


def like_initial(
    config: TrainConfig, trust: bool = False, given: Collection[str] = ()
) -> tuple[TrainConfig, Saved | None]:
    """The settings with the architecture of the model that `init` names, and that model.

    Without `init`, the settings are returned unchanged, with None. `given` are the settings that
    the user named explicitly. Raises InputError if there is no such model, and if the settings ask
    for another architecture.
    """
    if config.init is None:
        return config, None
    saved = load_molecules(first_member(locate(config.init)), trust)
    build_of = saved.card["build"]
    defaults = {f.name: getattr(TrainConfig(), f.name) for f in fields(TrainConfig)}
    added = {k: v for k, v in config.model_args.items() if k in _missing(saved)}
    for name in TAKEN:
        asked, explicit = getattr(config, name), name in given
        if name == "model_args" and added:
            asked = {k: v for k, v in asked.items() if k not in added}
            explicit = False
        if asked != build_of[name] and (explicit or asked != defaults[name]):
            raise InputError(
                f"init {config.init} has {name} {build_of[name]!r}, not {asked!r}: leave out "
                f"--{name}, or --init."
            )
    made = replace(config, **{name: build_of[name] for name in TAKEN})
    made = replace(made, model_args=made.model_args | added)
    taken = [name for name in build_of.get("features", ()) if name != DESCRIPTORS]
    if "features" not in given and not config.features:
        made = replace(made, features=",".join(taken))
    if missing := [name for name in taken if name not in made.taken]:
        raise InputError(
            f"init {config.init} takes the features {', '.join(taken)}: name {', '.join(missing)} "
            "in --features too, or leave out --features."
        )
    more = [name for name in made.taken if name not in (*taken, DESCRIPTORS)]
    if taken and more:
        raise InputError(
            f"init {config.init} takes the features {', '.join(taken)} alone: leave out "
            f"{', '.join(more)} in --features, or --init."
        )
    there = Descriptors.of_json(build_of.get("descriptors"))
    if "descriptors" not in given and not config.descriptors:
        made = replace(made, descriptors=there.text)
    if there and made.described != there:
        raise InputError(
            f"init {config.init} takes the descriptors {there.text}, not {made.descriptors!r}: "
            "leave out --descriptors, or --init."
        )
    if config.readout in ("sum", "auto") and "readout" not in given:
        scales = build_of.get("readout", ["sum"] * saved.task.outputs)
        of = dict(zip((t.name for t in saved.task.targets), scales, strict=False))
        made = replace(made, readout={n: of.get(n, config.readout) for n in config.target_names})
    return made, saved


def start_from(network: Augmented, saved: Saved, task: Task) -> list[str]:
    """Copy a trained model's weights; return the names of the weights that are not copied.

    If the targets differ, these are the weights of the last layer, whose shapes depend on the
    number of outputs. Features that the trained model does not take, and layers that are added to
    it (see `Model.grows`), have no effect at first.
    Raises InputError for weights that do not fit.
    """
    state, there = network.state_dict(), saved.network.state_dict()
    mine, theirs = ([(t.name, t.unit) for t in x.targets] for x in (task, saved.task))
    same = type(task) is type(saved.task) and mine == theirs
    anew = set() if same else _of_targets(saved)
    begun = (FEATURES, AUXILIARY, *_missing(saved).values())
    for name, value in state.items():
        if name in anew or (name not in there and name.startswith(begun)):
            if name.startswith(SAID) and not anew:
                state[name] = torch.zeros_like(value)
            continue
        if name not in there or there[name].shape != value.shape:
            got = "none" if name not in there else str(tuple(there[name].shape))
            raise InputError(
                f"the weights of --init do not fit: expected {name} {tuple(value.shape)}, got "
                f"{got}; leave out --init."
            )
    network.load_state_dict(state | {k: v for k, v in there.items() if k not in anew})
    return sorted(anew)


def _missing(saved: Saved) -> dict[str, str]:
    """The settings of `Model.grows` that a trained model lacks, with their weights' prefixes."""
    there = saved.network.model
    grows = there.grows if isinstance(there, Model) else {}
    has = saved.card["build"]["model_args"]
    return {name: f"model.{prefix}" for name, prefix in grows.items() if not has.get(name)}


def _of_targets(saved: Saved) -> set[str]:
    """The names of the weights whose shape depends on the number of outputs."""
    card = saved.card | {"build": {k: v for k, v in saved.card["build"].items() if k != "readout"}}
    task = saved.task
    one, more = (rebuilt(card, task, task.outputs * k, form=None).state_dict() for k in (1, 2))
    return {name for name in one if one[name].shape != more[name].shape}
