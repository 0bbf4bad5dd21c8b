"""The model of a run folder: weights in safetensors, everything else in JSON."""

from __future__ import annotations

import hashlib
import json
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
    """Write model.safetensors and model.json, both or, where the disk is full, neither.

    Pictures have no standardizer; `facts` says in its place what their outputs are.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f"network.{k}": v.detach().cpu().contiguous() for k, v in state.items()}
    if standardizer is not None:
        tensors |= {f"standardizer.{k}": v.cpu() for k, v in standardizer.state_dict().items()}
        facts = {"standardizer": standardizer.config(), **facts}
    weights = to_bytes({k: v.clone() for k, v in tensors.items()})
    card = {
        "format": FORMAT,
        "sha256": hashlib.sha256(weights).hexdigest(),
        "build": {k: config[k] for k in _BUILT},
        **facts,
    }
    # both are written before either is renamed
    with (
        atomic_write(folder / "model.json") as described,
        atomic_write(folder / "model.safetensors") as filled,
    ):
        described.write_text(json.dumps(sealed(card), indent=1))
        filled.write_bytes(weights)


def load(path: str | Path, trust: bool = False) -> Saved:
    """The model of a run folder, in evaluation mode. Nothing is unpickled.

    `trust` lets model.json name code outside molinv ("package.module:Name"). Raises
    InputError where there is no model, or one that is damaged or of another format.
    """
    card, tensors = read(path, trust)
    if "task" in card:
        raise InputError(f"the model in {path} is of pictures, not of molecules.")
    standardizer = Standardizer.from_config(card["standardizer"])
    network = build(len(standardizer.targets), kind=standardizer.kind, **card["build"])
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
        checksum, changed = card["sha256"], edited(card)
    except (ValueError, KeyError, TypeError, SafetensorError) as error:
        raise InputError(f"the model in {folder} is damaged ({error}); train it again.") from error
    if version != FORMAT:
        raise InputError(
            f"the model in {folder} has format {version}, this molinv reads {FORMAT}; use the "
            "molinv that wrote it."
        )
    foreign = outside(settings)
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
            f"the weights in {folder} are not those that model.json describes: a file was "
            "changed or only half written; train again or restore both."
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
        same = result["sha256"] == card["sha256"] and not edited(result)
        return result if same else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_json(path: Path, content: Any) -> None:
    """Write JSON, whole or not at all."""
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1))


def sealed(content: dict[str, Any]) -> dict[str, Any]:
    """The same with its digest, by which an edited file is known."""
    return content | {SEAL: seal(content)}


def part(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    """The tensors whose names begin so, without the beginning."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
