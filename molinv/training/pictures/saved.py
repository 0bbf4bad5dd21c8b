"""The model of a run folder on pictures: weights in safetensors, everything else in JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from ...augment import Augmented
from ...errors import InputError
from ..saved import fill, part, read
from ..saved import save as save_files
from .build import build
from .tasks import Task

_BUILT = ("action", "padding")  # beside what every run is built from


@dataclass
class SavedPictures:
    """A model that predicts: the network, what its outputs stand for, and how it came about."""

    network: Augmented
    task: Task
    card: dict[str, Any]


def save(
    folder: Path,
    state: dict[str, torch.Tensor],
    task: Task,
    config: dict[str, Any],
    facts: dict[str, Any],
) -> None:
    """Write model.safetensors and model.json; `facts` has "channels" and "size"."""
    built = {name: config[name] for name in _BUILT}
    save_files(folder, state, None, config, {"task": asdict(task), "picture": built, **facts})


def load(path: str | Path, trust: bool = False) -> SavedPictures:
    """The model of a run folder, in evaluation mode. Nothing is unpickled.

    Raises InputError as `training.saved.load` does, and for a model of molecules.
    """
    card, tensors = read(path, trust)
    if "task" not in card:
        raise InputError(f"the model in {path} is of molecules, not of pictures.")
    task = Task.from_json(card["task"])
    settings = card["build"] | card["picture"]
    maps, channels = task.kind == "maps", card["channels"]
    network = build(len(task.classes), channels, maps, reduce=task.reduce, **settings)
    fill(path, network, part(tensors, "network."))
    return SavedPictures(network.eval(), task, card)
