"""Make a shipped model from a finished run."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import yaml
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes
from torch import Tensor

from ..chem.structure import KINDS
from ..errors import InputError
from ..prediction.evaluate import evaluate
from ..training import shipped
from ..training.config import read_config
from ..training.members import is_ensemble, load_model, read_members, write_members
from ..training.saved import Saved, evaluated, load, sealed, write_json
from ..training.source import prepare
from .card import megabytes
from .choose import looks_like_smiles

MOST_MB = 12
MEMBER = ("model.safetensors", "metrics.csv")  # intervals and errors belong to the ensemble
PATHS = ("data", "valid", "test", "init")  # settings that may be paths
OTHERS = 3000  # molecules to calibrate the intervals of each other kind of geometry on


def ship(run: str | Path, name: str = shipped.DEFAULT) -> Path:
    """Copy the files that a run needs to predict, and its errors, to the shipped model `name`.

    Weights are rounded to half precision where it can hold them, which takes half the space. The
    rounded model is first evaluated on all test molecules, unless the run has these weights and
    was. Replaces a shipped model of that name. Returns the folder. Raises InputError for a name
    that could be a SMILES, for weights that are not those of the best epoch, and for a model of
    more than 12 MB.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_-]*", name) or looks_like_smiles(name):
        raise InputError(
            f"cannot ship a model as {name!r}: expected a name such as qm9, of lower-case letters "
            "and digits, that is not a SMILES."
        )
    folder = Path(run)
    target, made = shipped.ROOT / name, shipped.ROOT / f".{name}.part"
    with _rounded(folder) as half:
        saved = load_model(half)
        for part in _parts(half):
            _check_best(part, load(part))
        result = evaluated(half, saved.card)
        tests, kinds = saved.card["molecules"]["test"], (result or {}).get("intervals", {})
        if result is None or result["molecules"] != tests or not set(KINDS) <= set(kinds):
            smiles = prepare(read_config(half / "config.yaml")).molecules.smiles
            embedded = OTHERS if any(smiles[:100]) else 0
            evaluate(half, embedded=embedded, workers=os.cpu_count() or 1)
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir(parents=True)
        try:
            _fill(made, half)
            if (size := megabytes(made)) > MOST_MB:
                raise InputError(f"{folder} has {size:.1f} MB: expected at most {MOST_MB}.")
            _swap(made, target)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    return target


@contextmanager
def _rounded(folder: Path) -> Iterator[Path]:
    """A temporary copy of a run, with weights of half precision."""
    with TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as temporary:
        made = Path(temporary) / folder.name
        shutil.copytree(folder, made, ignore=shutil.ignore_patterns("checkpoints", "tensor*"))
        digests = {part.name: _halve(part) for part in _parts(made)}
        if is_ensemble(made):
            asked, members = read_members(made)
            for member in members:
                member["sha256"] = digests[member["folder"]]
            write_members(made, asked, members)
        yield made


def _halve(folder: Path) -> str:
    """Round a network's parameters to half precision; returns the digest of all weights.

    Its buffers stay as they are: they may be scales of features, beyond the largest number of half
    precision.
    """
    path = folder / "model.safetensors"
    learned = {f"network.{name}" for name, _ in load(folder).network.named_parameters()}
    weights = to_bytes(
        {
            name: _half(tensor) if name in learned else tensor
            for name, tensor in load_file(path).items()
        }
    )
    card: dict[str, Any] = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    digest = hashlib.sha256(weights).hexdigest()
    path.write_bytes(weights)
    write_json(folder / "model.json", sealed(card | {"sha256": digest}))
    return digest


def _half(tensor: Tensor) -> Tensor:
    """The tensor in half precision, if that changes no value by more than 0.1 %."""
    made = tensor.half()
    return made if torch.allclose(made.to(tensor), tensor, 1e-3, 1e-6) else tensor


def _parts(folder: Path) -> list[Path]:
    """The folders of an ensemble's members, or the folder of a single model."""
    if not is_ensemble(folder):
        return [folder]
    return [folder / member["folder"] for member in read_members(folder)[1]]


def _fill(made: Path, folder: Path, files: Sequence[str] = shipped.FILES) -> None:
    """Copy the run's files, without the paths of data and runs on this machine."""
    for part in _parts(folder):
        if part != folder:
            (made / part.name).mkdir()
            _fill(made / part.name, part, MEMBER)
    rewritten = ("model.json", "config.yaml")
    for name in files:
        if name not in rewritten and (folder / name).is_file():  # not all models have a domain
            # not shutil.copy: the new file gets the default permissions
            (made / name).write_bytes((folder / name).read_bytes())
    config = asdict(read_config(folder / "config.yaml"))
    config |= {name: Path(config[name]).name for name in PATHS if config[name]}
    data = config["data"]
    if (folder / "model.json").is_file():  # an ensemble has one in each member's folder
        card: dict[str, Any] = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        write_json(made / "model.json", sealed(card | {"data": data}))
    config["out"] = f"runs/{folder.name}"
    (made / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")


def _swap(made: Path, target: Path) -> None:
    """Replace `target` by `made`; `target` is missing only for a moment."""
    old = target.with_name(f".{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        os.replace(target, old)
    os.replace(made, target)
    shutil.rmtree(old, ignore_errors=True)


def _check_best(folder: Path, saved: Saved) -> None:
    """Raise InputError unless the weights are of the epoch with the lowest validation error."""
    standardizer = saved.standardizer
    weights = read_config(folder / "config.yaml").weights
    scales = {
        t.name: float(scale) / weights.get(t.name, 1.0)
        for t, scale in zip(standardizer.targets, standardizer.scale, strict=True)
        if weights.get(t.name, 1.0)
    }
    with (folder / "metrics.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))[1:]
    errors = {
        int(row["epoch"]): sum(float(row[f"{n}_stored"]) / float(scales[n]) for n in scales)
        for row in rows
    }
    best = min(errors, key=errors.__getitem__, default=None)
    epoch = saved.card["epoch"]
    # the run compared errors in float32 and kept the first of equal ones
    if best is None or errors.get(epoch, float("inf")) > errors[best] * (1 + 1e-6):
        raise InputError(
            f"the weights in {folder} are of epoch {epoch}, but the best epoch in metrics.csv is "
            f"{best}: ship it when its run has ended."
        )
