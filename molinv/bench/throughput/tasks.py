"""The tasks that `throughput` times: models, cost against size, batch and copies, and sampling."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...augment import Augmented
from ...datasets.batches import Batch
from ..batches import random_batch
from ..networks import Network
from ..steps import PRECISIONS, Inference, TrainingStep, inputs
from ..turns import Task

MODES = {"training": TrainingStep, "inference": Inference}
ATOMS_A_BATCH = 400  # atoms per batch when the molecule size varies; visnet needs GBs for more
ATOMS = 18  # atoms per molecule, QM9's mean, when batch size or copies vary
COPIES_BATCH = 128  # molecules per batch when copies vary; the optimizer's step is then small
STAGES = ("sampling", "acting", "backward")


@dataclass(frozen=True)
class Tasks:
    """The tasks of each table, on a device and in a precision."""

    device: torch.device
    precision: str = PRECISIONS[0]

    def models(self, networks: dict[str, Augmented], batches: Sequence[Batch]) -> dict[Any, Task]:
        """(model, mode): a pass over the batches."""
        return {
            (name, mode): task
            for name, network in networks.items()
            for mode, task in self._modes(network, batches)
        }

    def atoms(self, networks: dict[str, Augmented], sizes: Sequence[int]) -> dict[Any, Task]:
        """(model, mode, atoms per molecule): a batch of random molecules with 400 atoms in total.

        Sizes that a model does not accept are left out.
        """
        batches = {n: self._batch(max(1, ATOMS_A_BATCH // n), n) for n in sizes}
        return {
            (name, mode, n): task
            for name, network in networks.items()
            for n in sizes
            if n <= network.model.max_atoms  # pyright: ignore[reportOperatorIssue]
            for mode, task in self._modes(network, batches[n])
        }

    def batch(self, network: Augmented, sizes: Sequence[int]) -> dict[Any, Task]:
        """(mode, molecules per batch): random molecules of 18 atoms."""
        batches = {b: self._batch(b) for b in sizes}
        return {(m, b): t for b, each in batches.items() for m, t in self._modes(network, each)}

    def copies(self, network: Network, counts: Sequence[int]) -> dict[Any, Task]:
        """Number of copies: a training step on 128 random molecules of 18 atoms."""
        batch = self._batch(COPIES_BATCH)
        return {n: self._training(network.build(self.device, n), batch) for n in counts}

    def sampling(self, network: Network, batches: Sequence[Batch]) -> dict[Any, Task]:
        """The complete step, the step with an Identity distribution, and the stages of moving x.

        "sampling" draws group elements, "acting" also acts with them, and "backward" also
        propagates a gradient from the moved coordinates to the distribution's parameters.
        """
        moved, still = network.build(self.device), network.build(self.device, learned=False)
        tasks = {"step": self._training(moved, batches), "unmoved": self._training(still, batches)}
        stages = {s: Task(Moving(moved, batches, s), batches, self.device) for s in STAGES}
        return tasks | stages

    def _modes(self, network: Augmented, batches: Sequence[Batch]) -> Iterator[tuple[str, Task]]:
        for mode, run in MODES.items():
            yield mode, Task(run(network, self.precision), batches, self.device)

    def _training(self, network: Augmented, batches: Sequence[Batch]) -> Task:
        return Task(TrainingStep(network, self.precision), batches, self.device)

    def _batch(self, molecules: int, atoms: int = ATOMS) -> list[Batch]:
        return [random_batch(molecules, atoms, self.device)]


class Moving:
    """The part of a training step outside the network, up to one of `STAGES`."""

    def __init__(self, network: Augmented, batches: Sequence[Batch], stage: str):
        self.network, self.last = network, STAGES.index(stage)
        self.generator = torch.Generator(batches[0].pos.device).manual_seed(0)
        # precomputed, because building a graph's edges is not part of sampling or acting
        self.inputs = {id(batch): inputs(network, batch)[0] for batch in batches}

    def __call__(self, batch: Batch) -> None:
        x, network = self.inputs[id(batch)], self.network
        mu = network.distribution.at(x)
        g = mu.transform(mu.noise(network.input.size(x), self.generator))
        if self.last >= STAGES.index("acting"):
            moved = positions(network.input.act(mu.group, g, x))
            if self.last >= STAGES.index("backward"):
                mu.zero_grad()
                moved.backward(positions(x))  # the gradient's values do not affect the time


def positions(x: Any) -> Tensor:
    """Coordinates of points or of a graph."""
    return x if isinstance(x, Tensor) else x.pos
