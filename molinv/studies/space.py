"""The settings that `molinv tune` searches, and their ranges."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .. import models
from ..errors import InputError, unknown
from ..models.base import Model
from ..tasks.base import Task
from ..training.config import TrainConfig


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, drawn on a logarithmic scale."""

    low: float
    high: float

    def including(self, value: Any) -> Range:
        """The range, widened to include a value."""
        return Range(min(self.low, value), max(self.high, value)) if value > 0 else self


@dataclass(frozen=True)
class Choice:
    """One of several values."""

    values: tuple[Any, ...]

    def including(self, value: Any) -> Choice:
        """The choice, extended by a value."""
        return self if value in self.values else Choice((value, *self.values))


Space = Mapping[str, Range | Choice]
SPACE: Space = {
    "lr": Range(2e-4, 5e-3),
    "muon_lr": Range(1e-3, 2e-2),
    "weight_decay": Range(1e-3, 0.3),
    "batch_size": Choice((16, 32, 64, 128)),
    "ema": Choice((0.0, 0.99, 0.999)),
    "width": Choice((64, 96, 128, 160, 224)),
    "layers": Choice((2, 3, 4, 5, 6)),
    "readout": Choice(("sum", "mean")),
    "distribution": Choice(("UniformBox", "HaarBall", "Identity")),
    "features": Choice(("", "bonds")),
}
OF_MODEL = ("width", "layers")  # settings of the architecture


def space(
    config: TrainConfig, task: Task, search: Sequence[str] | None, given: Collection[str]
) -> dict[str, Range | Choice]:
    """The settings to search, with their ranges.

    These are the names in `search`, or, if it is None, all of SPACE that apply and are not in
    `given`. Ranges are widened to include the values of `config`, which are the first trial.
    Raises InputError for an unknown name, for a setting in `search` that cannot be searched, and if
    nothing is left to search.
    """
    for name in search or ():
        if name not in SPACE:
            raise unknown("setting to search:", name, SPACE)
    made = {}
    for name in search or SPACE:
        why = _fixed(name, config, task, given if search is None else ())
        if why is None:
            made[name] = SPACE[name].including(value_of(config, name))
        elif search is not None:
            raise InputError(f"--search {name}: {why}; leave it out.")
    if not made:
        raise InputError(
            "there is no setting left to search: leave out some that are given, or name some with "
            "--search."
        )
    return made


def value_of(config: TrainConfig, name: str) -> Any:
    """The value of a setting in a config; a setting of the model may have its default there."""
    if name not in OF_MODEL:
        return getattr(config, name)
    return config.model_args.get(name, _defaults(config.model).get(name))


def configured(config: TrainConfig, values: Mapping[str, Any]) -> TrainConfig:
    """The config with the values of a trial."""
    of_model = {name: value for name, value in values.items() if name in OF_MODEL}
    rest = {name: value for name, value in values.items() if name not in OF_MODEL}
    return replace(config, **rest, model_args=config.model_args | of_model)


def _fixed(name: str, config: TrainConfig, task: Task, given: Collection[str]) -> str | None:
    """The reason why a setting cannot be searched, or None."""
    if name in given or (name in config.model_args and "model_args" in given):
        return "it is given"
    if name == "muon_lr" and config.optimizer != "muon":
        return "the optimizer is adamw"
    if name in (*OF_MODEL, "distribution", "readout", "features") and config.init is not None:
        return f"--init {config.init} fixes it"
    if name in OF_MODEL and not isinstance(_defaults(config.model).get(name), int):
        return f"the model {config.model} has no such setting"
    if name == "readout":
        total = task.gradient or any(t.atomwise for t in task.targets)
        if task.kind != "scalar" or total or config.readout not in ("auto", "sum", "mean"):
            return "it is fixed by the targets or by --readout"
    if name == "features" and not _takes_features(config):
        return f"the model {config.model} takes positions and elements only"
    if name == "distribution" and "SO3" in _symmetries(config):
        return f"the model {config.model} with these settings is invariant by construction"
    if name == "distribution" and (config.group != "SO3" or config.distribution_args):
        return "it can only be searched for the group SO3 and without --distribution_args"
    return None


def _takes_features(config: TrainConfig) -> bool:
    assert config.model is not None
    made = models.make(config.model, 1, config.model_args)
    return isinstance(made, Model) and made.widths is not None


def _symmetries(config: TrainConfig) -> tuple[str, ...]:
    assert config.model is not None
    made = models.make(config.model, 1, config.model_args)
    return made.symmetries if isinstance(made, Model) else ()


def _defaults(model: str | None) -> dict[str, Any]:
    assert model is not None
    parameters = inspect.signature(models.find(model)).parameters.values()
    return {p.name: p.default for p in parameters}
