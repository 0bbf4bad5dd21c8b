"""The model of a run folder: weights in safetensors, everything else in JSON."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from ..augment import Augmented
from ..datasets.references import Standardizer
from ..errors import InputError
from ..names import outside
from .build import build

FORMAT = 1
_BUILT = ("model", "model_args", "group", "distribution", "distribution_args", "copies")


@dataclass
class Saved:
    """A model that predicts: the network, its standardiser and how it came about."""

    network: Augmented
    standardizer: Standardizer
    card: dict[str, Any]


def save(
    folder: Path,
    state: dict[str, torch.Tensor],
    standardizer: Standardizer | None,
    config: dict[str, Any],
    facts: dict[str, Any],
) -> None:
    """Write model.safetensors and model.json, each to a temporary name first.

    Pictures have no standardizer; `facts` says in its place what their outputs are.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f"network.{k}": v.detach().cpu().contiguous() for k, v in state.items()}
    if standardizer is not None:
        tensors |= {f"standardizer.{k}": v.cpu() for k, v in standardizer.state_dict().items()}
        facts = {"standardizer": standardizer.config(), **facts}
    temporary = folder / "model.safetensors.part"
    save_file({k: v.clone() for k, v in tensors.items()}, temporary)
    checksum = hashlib.sha256(temporary.read_bytes()).hexdigest()
    os.replace(temporary, folder / "model.safetensors")
    card = {
        "format": FORMAT,
        "sha256": checksum,
        "build": {k: config[k] for k in _BUILT},
        **facts,
    }
    write_json(folder / "model.json", card)


def load(path: str | Path, trust: bool = False) -> Saved:
    """The model of a run folder, in evaluation mode. Nothing is unpickled.

    `trust` lets model.json name code outside molinv ("package.module:Name"). Raises
    InputError where there is no model, or one that is damaged or of another format.
    """
    card, tensors = read(path, trust)
    if "task" in card:
        raise InputError(f"the model in {path} is of pictures, not of molecules.")
    standardizer = Standardizer.from_config(card["standardizer"])
    network = build(len(standardizer.targets), **card["build"])
    fill(path, network, part(tensors, "network."))
    fill(path, standardizer, part(tensors, "standardizer."))
    return Saved(network.eval(), standardizer, card)


def read(path: str | Path, trust: bool = False) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """model.json and the tensors of model.safetensors, which were seen to belong together.

    Raises InputError as `load` does.
    """
    folder = Path(path)
    weights, description = folder / "model.safetensors", folder / "model.json"
    if not weights.is_file() or not description.is_file():
        raise InputError(
            f"no model in {folder}: expected a run folder with model.safetensors and model.json, "
            "as `molinv train --out` makes it."
        )
    try:
        card = json.loads(description.read_text())
        tensors = load_file(weights)
        settings, version = card["build"], card["format"]
        checksum = card["sha256"]
    except (ValueError, KeyError, TypeError, SafetensorError) as error:
        raise InputError(f"the model in {folder} is damaged ({error}); train it again.") from error
    if version != FORMAT:
        raise InputError(
            f"the model in {folder} has format {version}, this molinv reads {FORMAT}; use the "
            "molinv that wrote it."
        )
    if hashlib.sha256(weights.read_bytes()).hexdigest() != checksum:
        raise InputError(
            f"the weights in {folder} are not those that model.json describes: a file was "
            "changed or only half written; train again or restore both."
        )
    foreign = outside(settings)
    if foreign and not trust:
        raise InputError(
            f"the model in {folder} needs code outside molinv ({', '.join(foreign)}); pass "
            "--trust if you know where it comes from."
        )
    return card, tensors


def fill(path: str | Path, module: nn.Module, tensors: dict[str, torch.Tensor]) -> None:
    """Load tensors into a module; raises InputError where they do not fit."""
    try:
        module.load_state_dict(tensors)
    except RuntimeError as error:
        raise InputError(
            f"the weights in {path} do not fit the model that model.json names."
        ) from error


def evaluated(folder: Path, card: dict[str, Any]) -> dict[str, Any] | None:
    """The evaluation.json beside a model; None without one, or where it is of other weights."""
    try:
        result = json.loads((folder / "evaluation.json").read_text())
        return result if result["sha256"] == card["sha256"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_json(path: Path, content: Any) -> None:
    """Write JSON to a temporary name, then rename."""
    temporary = path.with_name(path.name + ".part")
    temporary.write_text(json.dumps(content, indent=1))
    os.replace(temporary, path)


def part(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    """The tensors whose names begin so, without the beginning."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
