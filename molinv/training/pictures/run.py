"""A training run on pictures, from its settings to its folder; an interrupted one goes on."""

from __future__ import annotations

import warnings
from dataclasses import asdict
from pathlib import Path

import torch
import yaml
from lightning.fabric.utilities.exceptions import MisconfigurationException

from ... import __version__
from ...augment import Augmented
from ...errors import InputError
from ..build import count_parameters
from ..run import _FREE, _trainer, _write_config
from .build import build
from .config import PictureConfig
from .data import PictureData, fingerprint, load
from .history import PictureHistory
from .module import PictureJoint
from .schedule import PictureSchedule
from .tasks import Task


def train(config: PictureConfig) -> Path:
    """Run `config`, or go on with it where its folder's last checkpoint stopped.

    Returns the run folder, which holds config.yaml, metrics.csv, checkpoints/,
    model.safetensors and model.json (the last epoch's). Raises InputError for settings that do
    not fit the data or the folder, and if the loss diverges.
    """
    folder = Path(config.out)
    last = folder / "checkpoints" / "last.ckpt"
    parts = load(config)
    train = parts["train"]
    task = Task.of(train)
    config.model = config.model or ("unet" if task.kind == "maps" else "cnn")
    _check_same(folder, config, last)
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
        try:
            trainer = _trainer(config.shared(), folder, schedule, history)  # pyright: ignore
        except (MisconfigurationException, TypeError, ValueError) as error:
            text = " ".join(str(error).split())
            raise InputError(
                f"no trainer for accelerator={config.accelerator}, devices={config.devices}, "
                f"strategy={config.strategy}, precision={config.precision}: {text}"
            ) from error
        if trainer.is_global_zero:
            _write_config(folder, config)  # pyright: ignore[reportArgumentType]
        trainer.fit(
            module,
            datamodule=PictureData(parts, network.input, config),
            ckpt_path=last if last.is_file() else None,
            weights_only=True,
        )
    if trainer.interrupted:
        raise KeyboardInterrupt
    return folder


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


def _check_same(folder: Path, config: PictureConfig, last: Path) -> None:
    """See that a checkpoint that is already there belongs to the same run."""
    path = folder / "config.yaml"
    if not (last.is_file() and path.is_file()):
        return
    # a setting that came later was at its default when the run began
    there = asdict(PictureConfig()) | yaml.safe_load(path.read_text())
    for name, value in asdict(config).items():
        if name not in (*_FREE, "out") and there[name] != value:
            raise InputError(
                f"{folder} holds a run with {name}={there[name]!r}, not {value!r}: choose "
                "another --out, or delete that folder."
            )
