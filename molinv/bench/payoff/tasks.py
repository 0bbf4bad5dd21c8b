"""What `payoff` trains: a data set with a symmetry that is not an input, and the methods."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import pi
from pathlib import Path
from typing import Any, ClassVar

from ...augment import Augmented
from ...datasets.batches import Batch
from ...tasks.base import Task
from ...training.config import TrainConfig
from .rivals import RIVALS

Chosen = dict[str, Any]  # settings of TrainConfig
NONE, FULL, PAPER, LEARNED, GIVEN = "none", "full", "Augerino", "learned", "true group"
USUAL = (NONE, FULL, PAPER, LEARNED, GIVEN)
METHODS = (*USUAL, *RIVALS)
# a box about x, y and z, whose norm is rewarded from the first step (Benton et al. 2020)
AUGERINO: Chosen = {
    "group": "SO3",
    "distribution": "UniformBox",
    "regularizer": "width",
    "lam": 0.05 * pi,
    "group_lr": 0.03,
    "group_end": 0.01,
    "wait": 0.0,
}
BATCH = 32
FIXED: dict[str, Any] = {
    "model": "point",
    "batch_size": BATCH,
    "valid_size": 200,
    "warmup": 50,
    "accelerator": "cpu",
}
PASSES = 40  # least, over the training examples
SIZE = {"width": 64, "layers": 2}  # of the network
SETTLED = 1000  # validation examples that measure the final probabilities, at most


@dataclass(frozen=True)
class Set(ABC):
    """Data with a symmetry that is not an input, in the folder `root` of the benchmark."""

    root: Path

    name: ClassVar[str]
    unit: ClassVar[str]
    target: ClassVar[str]
    # the number of steps, in units of the command's
    effort: ClassVar[int] = 1
    # settings of the data and of the network, the same for all methods
    settings_of_data: ClassVar[Chosen] = {}
    # the learned distribution and how it is trained, one setting for all sizes and seeds
    learned: ClassVar[Chosen]

    @property
    def data(self) -> str:
        """The data set that is trained on."""
        return str(self.root / "molecules")

    @property
    @abstractmethod
    def labels(self) -> dict[str, Any]:
        """The settings that the labels depend on, beside the name of the data set."""

    @abstractmethod
    def make(self, workers: int) -> None:
        """Label what is not labelled yet; InputError for a folder made with other settings."""

    @abstractmethod
    def given(self) -> Chosen:
        """The distribution of the true group."""

    @abstractmethod
    def judge(self, network: Augmented, task: Task, examples: Batch) -> dict[str, Any]:
        """What was learned, in words as `found`, and whether it is `right`.

        `task` and validation examples serve to measure the network's loss.
        """

    def config(self, method: str, size: int, seed: int, steps: int, out: Path) -> TrainConfig:
        """The training settings; those of the usual methods differ in the distribution alone."""
        chosen = {
            NONE: lambda: {"group": "SO3", "distribution": "Identity"},
            FULL: lambda: {"group": "SO3", "distribution": "Haar"},
            PAPER: lambda: AUGERINO,
            LEARNED: dict,
            GIVEN: self.given,
            **{name: lambda rival=rival: rival.chosen for name, rival in RIVALS.items()},
        }[method]()
        return TrainConfig(
            data=self.data,
            targets=self.target,
            out=str(out),
            train_size=size,
            epochs=max(-(-self.effort * steps // -(-size // BATCH)), PASSES),
            seed=seed,
            **FIXED | {"model_args": SIZE} | self.settings_of_data | self.learned | chosen,
        )
