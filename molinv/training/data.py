"""The data of a run: stored as the set has them for training, also Haar-rotated to validate."""

from __future__ import annotations

import lightning.pytorch as pl
import torch

from ..datasets.batches import Batch, Loader, OnDevice
from ..datasets.molecules import Molecules
from ..datasets.split import Split
from .build import place
from .config import TrainConfig

VIEWS = ("stored", "rotated")


class MoleculeData(pl.LightningDataModule):
    """Batches of a split; a new order of the training molecules for every epoch.

    Validation runs twice over the same molecules: as stored and Haar-rotated.
    """

    def __init__(self, molecules: Molecules, split: Split, config: TrainConfig):
        super().__init__()
        self.molecules, self.split, self.config = molecules, split, config
        size = config.valid_size or max(1000, len(split.train) // 10)
        self.valid = split.valid[:size]

    def setup(self, stage: str) -> None:
        device = self.trainer.strategy.root_device  # pyright: ignore[reportOptionalMemberAccess]
        self.stored = self.store(device)
        self.rotated = self.store(device, rotate=True)

    def store(self, device: torch.device | str, rotate: bool = False) -> OnDevice:
        """All molecules on a device, placed as the run's settings say."""
        return place(self.molecules, self.config, device, rotate)

    def train_dataloader(self) -> Loader:
        trainer = self.trainer
        assert trainer is not None
        return Loader(
            self.stored,
            self.split.train,
            self.config.batch_size,
            seed=self.config.seed,
            epoch=trainer.current_epoch,
            rank=trainer.global_rank,
            world=trainer.world_size,
        )

    def val_dataloader(self) -> list[Loader]:
        trainer = self.trainer
        assert trainer is not None
        shards = {"rank": trainer.global_rank, "world": trainer.world_size}
        return [
            Loader(store, self.valid, max(256, trainer.world_size), shuffle=False, **shards)
            for store in (self.stored, self.rotated)
        ]

    def transfer_batch_to_device(
        self, batch: Batch, device: torch.device, dataloader_idx: int
    ) -> Batch:
        return batch.to(device)
