"""The pictures of a run: stored as the set has them for training, also turned to validate."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from math import pi

import lightning.pytorch as pl
import numpy as np
import torch

from ...actions import Action, Colour
from ...datasets import pictures as sets
from ...datasets.batches import Loader
from ...datasets.pictures.batches import PictureBatch, PicturesOnDevice
from ...datasets.pictures.moved import coloured, turned
from ...datasets.pictures.store import Pictures
from ..data import VIEWS
from .config import PictureConfig

VOID = 255
_STREAM = 9  # of random numbers: the turns of validation and test pictures


def load(config: PictureConfig) -> dict[str, Pictures]:
    """The parts "train", "valid" and "test" that a run's settings name.

    Without a test part the validation part stands in for it. Raises InputError as
    `datasets.pictures.load` does.
    """
    args = {k: tuple(v) if isinstance(v, list) else v for k, v in config.data_args.items()}
    parts = sets.load(
        config.data, config.root, config.seed, config.rotated_within, config.colour, **args
    )
    valid = parts["valid"]
    return {
        "train": parts["train"].take(np.arange(len(parts["train"]))[: config.train_size]),
        "valid": valid.take(np.arange(len(valid))[: config.valid_size]),
        "test": parts.get("test", valid),
    }


def moved_once(pictures: Pictures, action: Action, seed: int) -> Pictures:
    """Every picture turned once by any angle or, where colours are moved, by any hue."""
    key = (_STREAM, seed)
    if isinstance(action, Colour):
        return coloured(pictures, {"hue": pi}, key)
    if pictures.kind == "maps" and pictures.void is None:
        pictures = replace(pictures, void=VOID)
    return turned(pictures, pi, key)


def fingerprint(pictures: Pictures) -> str:
    """Of what a run learned from: 12 digits of the SHA-256 of pictures and labels."""
    digest = hashlib.sha256(pictures.images.numpy().tobytes())
    digest.update(pictures.y.numpy().tobytes())
    return digest.hexdigest()[:12]


class PictureData(pl.LightningDataModule):
    """Batches; a new order of the training pictures for every epoch.

    Validation runs twice over the same pictures: as stored and turned once (see `moved_once`).
    """

    def __init__(self, parts: dict[str, Pictures], action: Action, config: PictureConfig):
        super().__init__()
        self.parts, self.action, self.config = parts, action, config

    def setup(self, stage: str) -> None:
        device = self.trainer.strategy.root_device  # pyright: ignore[reportOptionalMemberAccess]
        valid = self.parts["valid"]
        self.train = PicturesOnDevice(self.parts["train"], device)
        seen = (valid, moved_once(valid, self.action, self.config.seed))
        self.views = [PicturesOnDevice(pictures, device) for pictures in seen]
        assert len(self.views) == len(VIEWS)

    def train_dataloader(self) -> Loader:
        trainer = self.trainer
        assert trainer is not None
        return Loader(
            self.train,
            self.train.indices,
            self.config.batch_size,
            seed=self.config.seed,
            epoch=trainer.current_epoch,
            rank=trainer.global_rank,
            world=trainer.world_size,
        )

    def val_dataloader(self) -> list[Loader]:
        trainer = self.trainer
        assert trainer is not None
        size = max(self.config.batch_size, trainer.world_size)
        shards = {"rank": trainer.global_rank, "world": trainer.world_size}
        return [Loader(v, v.indices, size, shuffle=False, **shards) for v in self.views]

    def transfer_batch_to_device(
        self, batch: PictureBatch, device: torch.device, dataloader_idx: int
    ) -> PictureBatch:
        return batch.to(device)
