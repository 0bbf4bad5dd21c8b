"""The examples of a run: the interface that data of molecules and of pictures implement."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import lightning.pytorch as pl
import numpy as np
import torch
from jaxtyping import Float64, Int64

from ..augment import Augmented
from ..datasets.batches import Loader
from ..tasks.base import Task
from .config import RunConfig

# a validation batch has 1 / PARTS of the examples, but at least FEW
FEW, PARTS = 32, 8


class RunData(pl.LightningDataModule, ABC):
    """The batches of a run. The training examples are shuffled anew for every epoch.

    Validation uses the same examples twice: as stored, and each turned once.

    config    the run's settings, completed with defaults that depend on the data
    task      what is learned, fitted to the training examples
    examples  the size of the set that the indices of batches refer to
    train, valid   the indices of the training and validation examples
    facts     facts about the data for the model's card
    identity  identifies the data and its split, as JSON
    notes     sentences on what a user should know about the data
    best      True to save the model of the best epoch, False for the last epoch
    together  largest size of a validation batch
    readout   how the outputs of the atoms give those of the molecule (see `models.make`)
    auxiliary standardised numbers of atoms that are learned beside the task
    """

    config: RunConfig
    task: Task
    examples: int
    train: Int64[np.ndarray, " m"]
    valid: Int64[np.ndarray, " m"]
    facts: dict[str, Any]
    identity: dict[str, Any]
    notes: Sequence[str] = ()
    best: ClassVar[bool] = True
    together: int = 256
    readout: list[Any] | None = None
    auxiliary: Float64[np.ndarray, "atoms a"] | None = None

    @abstractmethod
    def network(self) -> Augmented:
        """The network and its distribution; the initial weights depend only on the seed."""

    @abstractmethod
    def stores(self, device: torch.device) -> tuple[Any, list[Any]]:
        """The training examples on a device, and the validation examples in each view."""

    def extra(self, trainer: pl.Trainer, module: Any) -> dict[str, float]:
        """Further columns of an epoch's row in metrics.csv; called in every process."""
        return {}

    def begin(self, folder: Any) -> None:
        """Write files about the data to the run folder, before training."""

    def drawn(self, epoch: int) -> Int64[np.ndarray, " m"]:
        """The indices of the training examples of an epoch."""
        return self.train

    def setup(self, stage: str) -> None:
        trainer = self.trainer
        assert trainer is not None
        self.stored, self.views = self.stores(trainer.strategy.root_device)

    def train_dataloader(self) -> Loader:
        trainer = self.trainer
        assert trainer is not None
        # the number of finished batches, for an epoch that was interrupted
        done = trainer.fit_loop.epoch_loop.batch_progress.current.ready
        return Loader(
            self.stored,
            self.drawn(trainer.current_epoch),
            self.config.batch_size,
            seed=self.config.seed,
            epoch=trainer.current_epoch,
            start=done if trainer.fit_loop.restarting else 0,
            rank=trainer.global_rank,
            world=trainer.world_size,
        )

    def val_dataloader(self) -> list[Loader]:
        trainer = self.trainer
        assert trainer is not None
        few = max(FEW, len(self.valid) // PARTS)  # small, so that a batch has similar sizes
        size = max(min(self.together, few), trainer.world_size)
        shards = {"rank": trainer.global_rank, "world": trainer.world_size}
        return [Loader(view, self.valid, size, shuffle=False, **shards) for view in self.views]

    def transfer_batch_to_device(
        self, batch: Any, device: torch.device, dataloader_idx: int
    ) -> Any:
        return batch.to(device)
