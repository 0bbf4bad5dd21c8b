"""From settings to what a run is made of: a network with its distribution, molecules in place."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from .. import distributions, groups, models
from ..augment import Augmented
from ..datasets.batches import OnDevice
from ..datasets.kinds import of_kind
from ..datasets.molecules import Molecules
from ..errors import InputError
from ..names import construct
from .config import TrainConfig
from .task import task


def build(
    targets: int,
    *,
    model: str,
    model_args: dict[str, Any],
    group: str,
    distribution: str,
    distribution_args: dict[str, Any],
    regularizer: str = "entropy",
    copies: int = 1,
    kind: str = "scalar",
) -> Augmented:
    """A model with `targets` outputs of a kind, wrapped with a distribution on a group.

    Outputs are turned back as their kind says. Raises InputError for a name or a setting that
    does not exist, and for a model without such outputs.
    """
    asked = model_args.get("output", kind)
    if asked != kind and ":" not in model:
        raise InputError(
            f"model_args ask for {asked} outputs, but the targets are of kind {kind}: leave out "
            "output, which follows from the targets."
        )
    network = models.make(model, targets, model_args, kind)
    chosen = groups.find(group)
    mu = construct(
        distributions.find(distribution),
        f"distribution {distribution}",
        (chosen,),
        {"reward": regularizer} | distribution_args,
    )
    return Augmented(network, mu, network.action, of_kind(kind), copies)


def check_sizes(name: str, model: nn.Module, molecules: Molecules) -> None:
    """Raises InputError where any molecule of the data is too large for the model."""
    limit: int = model.max_atoms  # pyright: ignore[reportAssignmentType]
    largest = int(molecules.sizes.argmax())
    if (atoms := int(molecules.sizes[largest])) > limit:
        raise InputError(f"molecule {largest}: {models.too_large(name, limit, atoms)}")


def count_parameters(network: nn.Module) -> int:
    """The number of trained parameters."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def place(
    molecules: Molecules, config: TrainConfig, device: torch.device | str, rotate: bool = False
) -> OnDevice:
    """Molecules with the run's targets on a device; `rotate` turns them all by Haar."""
    todo = task(molecules, config.target_names)
    return OnDevice(
        molecules,
        molecules.values(todo.names),
        device,
        center=config.center,
        shift=config.shift,
        seed=config.seed,
        rotate=rotate or config.rotate,
        kind=todo.kind,
        forces=None if todo.forces is None else molecules.values([todo.forces])[:, 0],
    )
