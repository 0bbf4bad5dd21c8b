"""The examples of a run: what the trainer asks of molecules and of pictures."""

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

FEW, PARTS = 32, 8  # examples in a validation batch at least, and its share of few examples


class RunData(pl.LightningDataModule, ABC):
    """Batches; a new order of the training examples for every epoch.

    Validation runs twice over the same examples: as stored and turned once.

    config    the run's settings, completed by what the data says
    task      what is learned, fitted to the training examples
    examples  how many there are in the set from which batches are numbered
    train, valid   the indices of the training and validation examples in their stores
    facts     what the model's card says of the data
    identity  what tells this data and its split from another, as JSON
    notes     sentences on what a user should know of the data
    best      whether the model of the best epoch is kept, or the last epoch's
    together  examples in a validation batch, at most
    readout   how outputs are made of those of atoms (see `models.make`)
    auxiliary numbers of atoms that are learned beside the task, standardised
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
        """The network and its distribution, with initial weights that depend on the seed alone."""

    @abstractmethod
    def stores(self, device: torch.device) -> tuple[Any, list[Any]]:
        """The training examples on a device, and the validation examples of each view."""

    def extra(self, trainer: pl.Trainer, module: Any) -> dict[str, float]:
        """Further columns of an epoch's row; called on every process."""
        return {}

    def begin(self, folder: Any) -> None:
        """Write into the run folder what the data has to say before training."""

    def drawn(self, epoch: int) -> Int64[np.ndarray, " m"]:
        """The training examples of an epoch."""
        return self.train

    def setup(self, stage: str) -> None:
        trainer = self.trainer
        assert trainer is not None
        self.stored, self.views = self.stores(trainer.strategy.root_device)

    def train_dataloader(self) -> Loader:
        trainer = self.trainer
        assert trainer is not None
        # of an epoch that was interrupted, the batches that are left
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
        few = max(FEW, len(self.valid) // PARTS)  # so that molecules of one size are together
        size = max(min(self.together, few), trainer.world_size)
        shards = {"rank": trainer.global_rank, "world": trainer.world_size}
        return [Loader(view, self.valid, size, shuffle=False, **shards) for view in self.views]

    def transfer_batch_to_device(
        self, batch: Any, device: torch.device, dataloader_idx: int
    ) -> Any:
        return batch.to(device)
