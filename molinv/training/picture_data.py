"""The pictures of a run: as stored for training, and also turned for validation."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from math import pi

import numpy as np
import torch

from ..actions import Action, Colour
from ..augment import Augmented
from ..datasets import pictures as sets
from ..datasets.pictures.batches import PicturesOnDevice
from ..datasets.pictures.moved import coloured, turned
from ..datasets.pictures.store import Pictures
from ..tasks import of_pictures
from ..tasks.base import Task
from ..tasks.maps import Maps
from .build import make_picture_network
from .data import RunData
from .picture_config import PictureConfig

VOID = 255
_STREAM = 9  # random stream of the rotations of validation and test pictures


class PictureData(RunData):
    """The pictures that a run's settings name; `fill` sets the defaults that depend on them.

    The model of the last epoch is saved, not that of the epoch with the best error on stored
    pictures: that error does not depend on the extents, which converge only at the end of a run.
    """

    config: PictureConfig
    best = False

    def __init__(self, config: PictureConfig):
        super().__init__()
        self.parts, self.config = load_parts(config), config
        train, valid = self.parts["train"], self.parts["valid"]
        self.task = of_pictures(train, config.task, config.task_args)
        fill(config, self.task)
        self.examples, self.together = len(train), config.batch_size
        self.train, self.valid = np.arange(len(train)), np.arange(len(valid))
        sizes = {part: len(pictures) for part, pictures in self.parts.items()}
        _, self.channels, h, w = train.images.shape
        self.identity = {"split": fingerprint(train), "pictures": sizes}
        self.facts = {
            "data": config.data,
            "seed": config.seed,
            "channels": self.channels,
            "size": [h, w],
        } | self.identity

    def network(self) -> Augmented:
        made = seeded(self.config, self.task, self.channels)
        made.model.to(memory_format=torch.channels_last)  # pyright: ignore  # a third faster
        self.action = made.input
        return made

    def stores(self, device: torch.device) -> tuple[PicturesOnDevice, list[PicturesOnDevice]]:
        valid = self.parts["valid"]
        views = valid, moved_once(valid, self.action, self.config.seed)
        return PicturesOnDevice(self.parts["train"], device), [
            PicturesOnDevice(pictures, device) for pictures in views
        ]


def fill(config: PictureConfig, task: Task) -> None:
    """Set `model`, `lam` and `lam_start`, if they were not given, depending on the task.

    For classes a large `lam_start` first opens the extents, so that the network sees inputs beyond
    the boundary of the labels (see `Schedule`). Label maps have no such boundary. With the same
    `lam_start`, the extents of upright streets would open to the whole circle. The network would
    learn that at a small loss, and no gradient would close them again.
    """
    maps = isinstance(task, Maps)
    config.model = config.model or ("unet" if maps else "cnn")
    if config.lam is None:
        config.lam = 0.03 if maps else 0.1
    if config.lam_start is None:
        config.lam_start = 0.1 if maps else 0.5


def load_parts(config: PictureConfig) -> dict[str, Pictures]:
    """The parts "train", "valid" and "test" that a run's settings name.

    For a data set without a test part, "test" is the validation part. Raises InputError as
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
    """Every picture turned once by a random angle, or, for a colour action, by a random hue."""
    key = (_STREAM, seed)
    if isinstance(action, Colour):
        return coloured(pictures, {"hue": pi}, key)
    if pictures.kind == "maps" and pictures.void is None:
        pictures = replace(pictures, void=VOID)
    return turned(pictures, pi, key)


def fingerprint(pictures: Pictures) -> str:
    """12 hex digits of the SHA-256 of pictures and labels, to identify the data of a run."""
    digest = hashlib.sha256(pictures.images.numpy().tobytes())
    digest.update(pictures.y.numpy().tobytes())
    return digest.hexdigest()[:12]


def seeded(config: PictureConfig, task: Task, channels: int) -> Augmented:
    """The network; its initial weights depend only on the seed."""
    assert config.model is not None
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        return make_picture_network(
            task.outputs,
            channels,
            isinstance(task, Maps),
            model=config.model,
            model_args=config.model_args,
            group=config.group,
            distribution=config.distribution,
            distribution_args=config.distribution_args,
            regularizer=config.regularizer,
            copies=config.copies,
            action=config.action,
            padding=config.padding,
            reduce=task.reduce,
        )
