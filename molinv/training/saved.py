"""Save and load the model of a run folder: weights as safetensors, everything else as JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes
from torch import nn

from ..atomic import SEAL, atomic_write, edited, seal
from ..augment import Augmented
from ..datasets.references import Standardizer
from ..errors import InputError
from ..names import outside
from ..tasks import restore
from ..tasks.base import Task
from ..tasks.maps import Maps
from ..tasks.numbers import Numbers
from .build import AUXILIARY, make_network, make_picture_network, of_task
from .config import RunConfig, TrainConfig
from .picture_config import PictureConfig
from .shipped import ENSEMBLE

FORMAT = 2  # format 1, of molinv 0.1.0, can also be read
_BUILT = ("model", "model_args", "group", "distribution", "distribution_args", "copies")
_PICTURES = ("action", "padding")


@dataclass
class Saved:
    """A trained model: the network, the task (the meaning of its outputs), and its provenance.

    `card` is the content of model.json. The network and the task of an ensemble are those of its
    first member; `members` is empty for a single model.
    """

    network: Augmented
    task: Task
    card: dict[str, Any]
    members: tuple[Saved, ...] = ()

    @property
    def each(self) -> tuple[Saved, ...]:
        """The members of an ensemble, or the single model."""
        return self.members or (self,)

    def to(self, device: torch.device) -> Saved:
        """Move all networks to a device; returns self."""
        for saved in self.each:
            saved.network.to(device)
        return self

    @property
    def standardizer(self) -> Standardizer:
        """The standardizer of a task of numbers; raises InputError for any other task."""
        if isinstance(self.task, Numbers):
            return self.task.standardizer
        raise InputError(f"the model learned {self.task.called()}, where numbers are expected.")


def save(
    folder: Path,
    network: nn.Module,
    task: Task,
    build: dict[str, Any],
    facts: dict[str, Any],
) -> None:
    """Write model.safetensors and model.json; if the disk is full, neither is changed.

    `build` are the network's settings, as `built` returns them, and `facts` the other entries of
    model.json. Raises InputError if a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kept = {k: v for k, v in network.state_dict().items() if not k.startswith(AUXILIARY)}
    state = {f"network.{k}": v for k, v in kept.items()} | task.state_dict()
    # clone: safetensors does not accept tensors that share memory
    weights = to_bytes({k: v.detach().cpu().contiguous().clone() for k, v in state.items()})
    card = {
        "format": FORMAT,
        "sha256": hashlib.sha256(weights).hexdigest(),
        "build": build,
        "task": task.to_json(),
        **facts,
    }
    # both are written before either is renamed
    paths = folder / "model.json", folder / "model.safetensors"
    with atomic_write(paths[0]) as described, atomic_write(paths[1]) as filled:
        described.write_text(json.dumps(sealed(card), indent=1), encoding="utf-8")
        filled.write_bytes(weights)


def built(config: RunConfig, readout: Sequence[Any] | None = None) -> dict[str, Any]:
    """The settings from which the network can be rebuilt."""
    names = (*_BUILT, *_PICTURES) if isinstance(config, PictureConfig) else _BUILT
    made = {name: getattr(config, name) for name in names}
    if isinstance(config, TrainConfig) and config.taken:
        made["features"] = list(config.taken)
    if isinstance(config, TrainConfig) and config.described:
        made["descriptors"] = config.described.to_json()
    return made if readout is None else made | {"readout": list(readout)}


def load(path: str | Path, trust: bool = False) -> Saved:
    """Load the model of a run folder, in evaluation mode. Nothing is unpickled.

    `trust` allows model.json to name code outside molinv ("package.module:Name"). Raises
    InputError if there is no model, or if it is damaged or has another format.
    """
    card, tensors = read(path, trust)
    task = restore(card["task"])
    network = rebuilt(card, task)
    fill(path, network, part(tensors, "network."))
    fill(path, task, {k: v for k, v in tensors.items() if not k.startswith("network.")})
    if "placement" in card:
        task.center = card["placement"]["center"]
    return Saved(network.eval(), task, card)


def rebuilt(
    card: dict[str, Any], task: Task, outputs: int | None = None, **changes: Any
) -> Augmented:
    """The network that a card describes, with initial weights.

    `outputs` is its number of outputs, by default that of the task; `changes` replace settings of
    the card.
    """
    outputs = task.outputs if outputs is None else outputs
    if not of_pictures(card):
        return make_network(outputs, **(of_task(task) | card["build"] | changes))
    maps = isinstance(task, Maps)
    return make_picture_network(
        outputs, card["channels"], maps, reduce=task.reduce, **card["build"]
    )


def of_pictures(card: dict[str, Any]) -> bool:
    """Whether a card describes a model of pictures."""
    return "pictures" in card


def load_molecules(path: str | Path, trust: bool = False) -> Saved:
    """Load a model of molecules; raises InputError as `load` does and for a model of pictures."""
    saved = load(path, trust)
    if of_pictures(saved.card):
        raise InputError(f"the model in {path} takes pictures, not molecules.")
    return saved


def load_pictures(path: str | Path, trust: bool = False) -> Saved:
    """Load a model of pictures; raises InputError as `load` does and for a model of molecules."""
    saved = load(path, trust)
    if not of_pictures(saved.card):
        raise InputError(f"the model in {path} takes molecules, not pictures.")
    return saved


def read(path: str | Path, trust: bool = False) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """The content of model.json and the tensors of model.safetensors, after both were checked.

    Raises InputError as `load` does.
    """
    folder = Path(path)
    weights, description = folder / "model.safetensors", folder / "model.json"
    if (folder / ENSEMBLE).is_file():
        raise InputError(
            f"{folder} is an ensemble, but a single model is expected here: name one of its "
            f"members, such as {folder / 'member_0'}."
        )
    if not weights.is_file() or not description.is_file():
        raise InputError(
            f"no model in {folder}: expected a run folder with model.safetensors and model.json, "
            "as `molinv train --out` makes it."
        )
    try:
        card = json.loads(description.read_text(encoding="utf-8"))
        tensors = load_file(weights)
        settings, version = card["build"], card["format"]
        checksum, changed = card["sha256"], edited(card)
        card, tensors = upgraded(card, tensors) if version == 1 else (card, tensors)
        named = [settings, str(card["task"]["name"])]
    except (ValueError, LookupError, TypeError, AttributeError, SafetensorError) as error:
        raise InputError(f"the model in {folder} is damaged ({error}); train it again.") from error
    if version not in (1, FORMAT):
        raise InputError(
            f"the model in {folder} has format {version}, this molinv reads 1 and {FORMAT}; use "
            "the molinv that wrote it."
        )
    foreign = outside(named)
    if foreign and not trust:
        raise InputError(
            f"the model in {folder} needs code outside molinv ({', '.join(foreign)}); pass "
            "--trust if you know where it comes from."
        )
    if changed:
        raise InputError(
            f"{description} was edited since it was written: restore it, or train again."
        )
    if hashlib.sha256(weights.read_bytes()).hexdigest() != checksum:
        raise InputError(
            f"the weights in {folder} are not those that model.json describes: a file was changed "
            "or not fully written; train again or restore both."
        )
    return card, tensors


def upgraded(
    card: dict[str, Any], tensors: dict[str, torch.Tensor]
) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Convert a card of format 1 and its tensors to format 2."""
    if "task" not in card:
        content = card["standardizer"]
        kind = content["targets"][0].get("kind", "scalar")
        name = "numbers" if kind == "scalar" else "atom_values" if kind[:4] == "atom" else "vectors"
        name = "energy_forces" if "forces" in content else name
        return card | {"task": {"name": name, "settings": content}}, tensors
    old = card["task"]
    settings: dict[str, Any] = {}
    if old["kind"] == "maps":
        settings = {"classes": old["classes"], "void": old["void"]}
    elif old["kind"] == "classes":
        settings = {"targets": [{"name": "class", "unit": "", "kind": "class"}]}
        settings["targets"][0]["classes"] = old["classes"]
    elif old["kind"] == "numbers":
        settings = {"targets": [{"name": n, "unit": ""} for n in old["classes"]], "loss": "laplace"}
        mean, scale = (torch.tensor(old[k], dtype=torch.float64) for k in ("mean", "scale"))
        made = {"mean": mean, "scale": scale, "references": torch.zeros(119, len(mean)).double()}
        tensors = tensors | {f"standardizer.{k}": v for k, v in made.items()}
    build = card["build"] | card["picture"]
    return card | {"task": {"name": old["kind"], "settings": settings}, "build": build}, tensors


def fill(path: str | Path, module: nn.Module, tensors: dict[str, torch.Tensor]) -> None:
    """Load tensors into a module; raises InputError if they do not fit. `path` is for messages."""
    try:
        module.load_state_dict(tensors)
    except RuntimeError as error:
        raise InputError(
            f"the weights in {path} do not fit the model that model.json names."
        ) from error


def evaluated(folder: Path, card: dict[str, Any]) -> dict[str, Any] | None:
    """The content of a model's evaluation.json; None if missing, edited or of other weights."""
    try:
        result = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
        same = result["sha256"] == card["sha256"] and not edited(result)
        return result if same else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_json(path: Path, content: Any) -> None:
    """Write JSON atomically; raises InputError if it cannot be written."""
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1), encoding="utf-8")


def sealed(content: dict[str, Any]) -> dict[str, Any]:
    """The content with its own digest added, so that `edited` can detect a change."""
    return content | {SEAL: seal(content)}


def part(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    """The tensors whose names begin with `prefix`, by the rest of their names."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
