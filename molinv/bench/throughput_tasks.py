"""What `throughput` times: every model, cost against size, batch and copies, and sampling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..augment import Augmented
from ..datasets.batches import Batch
from .batches import random_batch
from .contenders import Contender
from .steps import PRECISIONS, Inference, TrainingStep, inputs
from .turns import Task

MODES = {"training": TrainingStep, "inference": Inference}
ATOMS_A_BATCH = 400  # while molecules grow; visnet takes gigabytes of more
ATOMS = 18  # of a molecule, QM9's mean, while batches or copies grow
COPIES_BATCH = 128  # molecules, while copies grow: the optimizer's step should be a small part
STAGES = ("sampling", "acting", "backward")


def of_models(
    networks: dict[str, Augmented], batches: Sequence[Batch], precision: str = PRECISIONS[0]
) -> dict[tuple[str, str], Task]:
    """(model, mode): a pass over the batches."""
    return {
        (name, mode): Task(run(network, precision), batches)
        for name, network in networks.items()
        for mode, run in MODES.items()
    }


def of_atoms(
    networks: dict[str, Augmented],
    sizes: Sequence[int],
    device: torch.device,
    precision: str = PRECISIONS[0],
) -> dict[tuple[str, str, int], Task]:
    """(model, mode, atoms of a molecule): a batch of random molecules with 400 atoms in all.

    Sizes that a model does not take are left out.
    """
    batches = {n: [random_batch(max(1, ATOMS_A_BATCH // n), n, device)] for n in sizes}
    return {
        (name, mode, n): Task(run(network, precision), batches[n])
        for name, network in networks.items()
        for mode, run in MODES.items()
        for n in sizes
        if n <= network.model.max_atoms  # pyright: ignore[reportOperatorIssue]
    }


def of_batch(
    network: Augmented, sizes: Sequence[int], device: torch.device, precision: str = PRECISIONS[0]
) -> dict[tuple[str, int], Task]:
    """(mode, molecules of a batch): random molecules of 18 atoms."""
    batches = {b: [random_batch(b, ATOMS, device)] for b in sizes}
    return {
        (mode, b): Task(run(network, precision), batches[b])
        for mode, run in MODES.items()
        for b in sizes
    }


def of_copies(
    contender: Contender,
    counts: Sequence[int],
    device: torch.device,
    precision: str = PRECISIONS[0],
) -> dict[int, Task]:
    """Copies a molecule: a training step on 128 random molecules of 18 atoms."""
    batch = random_batch(COPIES_BATCH, ATOMS, device)
    return {
        count: Task(TrainingStep(contender.network(device, count), precision), [batch])
        for count in counts
    }


def of_sampling(
    contender: Contender,
    batches: Sequence[Batch],
    device: torch.device,
    precision: str = PRECISIONS[0],
) -> dict[str, Task]:
    """The whole step, the same with the Identity as its distribution, and what moving x takes.

    "sampling" draws group elements, "acting" also acts with them and "backward" also goes back
    from a gradient at what was moved to the distribution's parameters.
    """
    network = contender.network(device)
    tasks = {
        "step": Task(TrainingStep(network, precision), batches),
        "unmoved": Task(TrainingStep(contender.network(device, learned=False), precision), batches),
    }
    return tasks | {stage: Task(Moving(network, batches, stage), batches) for stage in STAGES}


class Moving:
    """What a training step does before the network and after it, up to a stage of `STAGES`."""

    def __init__(self, network: Augmented, batches: Sequence[Batch], stage: str):
        self.network, self.last = network, STAGES.index(stage)
        self.generator = torch.Generator(batches[0].pos.device).manual_seed(0)
        # made beforehand: a graph's edges are no part of sampling or acting
        self.inputs = {id(batch): inputs(network, batch)[0] for batch in batches}

    def __call__(self, batch: Batch) -> None:
        x, network = self.inputs[id(batch)], self.network
        mu = network.distribution.at(x)
        g = mu.transform(mu.noise(network.input.size(x), self.generator))
        if self.last >= STAGES.index("acting"):
            moved = positions(network.input.act(mu.group, g, x))
            if self.last >= STAGES.index("backward"):
                mu.zero_grad()
                moved.backward(positions(x))  # any gradient takes as long


def positions(x: Any) -> Tensor:
    """Coordinates, of points or of a graph."""
    return x if isinstance(x, Tensor) else x.pos
