"""A run folder with a small random network, made without training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from molinv.datasets.molecules import Target
from molinv.tasks import of_targets
from molinv.tasks.energy_forces import EnergyForces
from molinv.training.build import make_network
from molinv.training.saved import save

ENERGY = Target("U0", "meV", "energy", atomwise=True)
GAP = Target("gap", "meV", "lumo minus homo")


def tiny_model(
    folder: Path,
    targets: tuple[Target, ...] = (ENERGY, GAP),
    scale: float = 300.0,
    forces: bool = False,
    facts: dict[str, Any] | None = None,
    **changes: Any,
) -> Path:
    """Save a model to `folder`, whose predictions vary by about `scale` in the targets' units.

    With `forces` the model is marked as trained on forces of its first target. `facts` are added
    to its card. Returns the folder.
    """
    settings: dict[str, Any] = dict(
        model="point",
        model_args={"width": 16, "layers": 1, "kernels": 4},
        group="SO3",
        distribution="HaarBall",
        distribution_args={"init": 3.1},
        copies=1,
    )
    settings |= changes
    task = of_targets(targets)
    if forces:
        slope = Target("forces", f"{targets[0].unit}/angstrom", kind="atom vector")
        task = EnergyForces(targets, forces=slope)
    standardizer = task.standardizer
    standardizer.scale.fill_(scale)
    standardizer.mean.fill_(-50.0 if standardizer.kind == "scalar" else 0.0)
    settings.pop("kind", None)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = make_network(len(targets), kind=task.kind, **settings)
    card = {
        "elements": [1, 6, 7, 8, 9],
        "atoms": [3, 29],
        "placement": {"center": True, "shift": 0.0},
    }
    save(folder, network, task, settings, card | (facts or {}))
    return folder
