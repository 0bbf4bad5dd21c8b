"""A training run on pictures, from its settings to its folder; an interrupted one goes on."""

from __future__ import annotations

import warnings
from dataclasses import asdict
from pathlib import Path

import torch

from ... import __version__
from ...augment import Augmented
from ...sharing import share_cores
from ..build import count_parameters
from ..run import check_same, fit, locked, make_trainer, write_config
from .build import build
from .config import PictureConfig
from .data import PictureData, fingerprint, load
from .history import PictureHistory
from .module import PictureJoint
from .schedule import PictureSchedule
from .tasks import Task


@share_cores()
def train(config: PictureConfig) -> Path:
    """Run `config`, or go on with it where its folder's last checkpoint stopped.

    Returns the run folder, which holds config.yaml, metrics.csv, checkpoints/,
    model.safetensors and model.json (the last epoch's). Raises InputError for settings that do
    not fit the data or the folder, and if the loss diverges.
    """
    with locked(Path(config.out)):
        return _train(config)


def _train(config: PictureConfig) -> Path:
    folder = Path(config.out)
    last = folder / "checkpoints" / "last.ckpt"
    parts = load(config)
    train = parts["train"]
    task = Task.of(train)
    fill(config, task)
    check_same(folder, config, last)
    n, channels, h, w = train.images.shape
    network = seeded(config, task, channels)
    module = PictureJoint(network, task, config, n)
    facts = {
        "data": config.data,
        "split": fingerprint(train),
        "seed": config.seed,
        "pictures": {part: len(pictures) for part, pictures in parts.items()},
        "molinv": __version__,
        "parameters": count_parameters(network),
        "channels": channels,
        "size": [h, w],
    }
    if config.compile:
        network.model.compile()
    network.model.to(memory_format=torch.channels_last)  # pyright: ignore  # a third quicker
    schedule = PictureSchedule(config)
    history = PictureHistory(folder, asdict(config), facts, schedule)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning")
        warnings.filterwarnings("ignore", module="torch.utils.tensorboard")
        trainer = make_trainer(config.shared(), folder, schedule, history)
        if trainer.is_global_zero:
            write_config(folder, config)
        fit(trainer, module, PictureData(parts, network.input, config), last)
    return folder


def fill(config: PictureConfig, task: Task) -> None:
    """Sets what was not given by what is learned.

    Classes are pushed open first, so that the network sees what lies beyond their edge (see
    `PictureSchedule`). Label maps have no such edge: pushed as hard, upright streets open to the
    whole circle, which a network learns at little loss, and then has no slope to come back by.
    """
    maps = task.kind == "maps"
    config.model = config.model or ("unet" if maps else "cnn")
    if config.lam is None:
        config.lam = 0.03 if maps else 0.1
    if config.lam_start is None:
        config.lam_start = 0.1 if maps else 0.5


def seeded(config: PictureConfig, task: Task, channels: int) -> Augmented:
    """The network with initial weights that depend on the seed alone."""
    assert config.model is not None
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        return build(
            len(task.classes),
            channels,
            task.kind == "maps",
            model=config.model,
            model_args=config.model_args,
            group=config.group,
            action=config.action,
            padding=config.padding,
            distribution=config.distribution,
            distribution_args=config.distribution_args,
            regularizer=config.regularizer,
            copies=config.copies,
            reduce=task.reduce,
        )
