"""Every setting of a training run on pictures, with its default."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from ...errors import InputError, unknown
from ..config import TrainConfig

ACTIONS = ("auto", "image", "colour")


@dataclass
class PictureConfig:
    """A training run on pictures.

    Args:
        data: a data set of pictures: mnist, fashion_mnist, cifar10, camvid, planted, up_down,
            collages.
        root: the folder of its files; mnist, planted, up_down and collages need none.
        data_args: settings of the data set, e.g. {"size": [90, 120]} for camvid.
        rotated_within: turn every picture once, by an angle up to this (rad).
        colour: half-widths of one fixed jitter of every picture's colours, e.g. {"hue": 3.14}.
        out: the folder of the run; a run that stopped there goes on.
        model: cnn, unet or package.module:Name; cnn, or for label maps unet, if not given.
        model_args: settings of the architecture, e.g. {"width": 16}.
        group: a group of the plane or of colours (see `molinv groups`), e.g. Affine2 or
            "Compose(SO2, Scaling(2))", or package.module:Name.
        action: what the group moves: image (places) or colour; auto tells by the group.
        padding: what comes in from outside: zeros, border or reflection.
        distribution: UniformBox, HaarBall, Gaussian, Categorical (on finite groups) or Composed
            (on groups of two parts), which are learned; Identity or Haar, which are fixed.
        distribution_args: its settings, e.g. {"init": 0.05}.
        regularizer: what rewards a wide distribution: entropy, width or none.
        lam: weight of that reward, per nat of the loss; 0.1, for label maps 0.03, if not given.
        lam_start: its weight until `settle`, which then falls to lam, shared among the group's
            generators as far as that leaves lam; 0.5, for label maps 0.1, if not given.
        settle: share of the run that is over when the weight begins to fall; half of what is
            left it is lam.
        copies: group elements per picture and step.
        train_size: pictures to train on; all of the training part if not given.
        valid_size: pictures to validate on; all of the validation part if not given.
        epochs: passes over the training pictures; 10 if neither it nor minutes is given.
        minutes: minutes of training after which to stop; the learning rates follow the clock.
        batch_size: pictures per step, over all devices together.
        optimizer: muon (for matrices and convolutions, with AdamW for the rest) or adamw.
        lr: AdamW's learning rate.
        muon_lr: Muon's learning rate.
        group_lr: the distribution's learning rate, which falls once the weight is lam.
        wait: share of the run that is over before the extents move: the network first learns.
        weight_decay: of the network's matrices under Muon; of all its parameters under AdamW.
        warmup: steps until the learning rate is reached; a tenth of the run at most.
        clip: largest gradient norm of each parameter group; 0 for none.
        ema: decay of the exponential weight average used for validation and the result;
            0 for none.
        patience: epochs without improvement after which to stop; never if not given.
        seed: of the split, the order of pictures, the initial weights and the group elements.
        accelerator: Lightning's: auto, cpu, gpu, mps.
        devices: number of devices, or auto.
        strategy: Lightning's: auto, ddp.
        num_nodes: number of machines.
        precision: Lightning's: 32-true, bf16-mixed.
        compile: run the network through torch.compile.
    """

    data: str = "mnist"
    root: str | None = None
    data_args: dict[str, Any] = field(default_factory=dict)
    rotated_within: float = 0.0
    colour: dict[str, float] = field(default_factory=dict)
    out: str = "runs/latest"
    model: str | None = None
    model_args: dict[str, Any] = field(default_factory=dict)
    group: str = "SO2"
    action: str = "auto"
    padding: str = "zeros"
    distribution: str = "UniformBox"
    distribution_args: dict[str, Any] = field(default_factory=dict)
    regularizer: str = "entropy"
    lam: float | None = None
    lam_start: float | None = None
    settle: float = 0.35
    copies: int = 1
    train_size: int | None = None
    valid_size: int | None = None
    epochs: int | None = None
    minutes: float | None = None
    batch_size: int = 64
    optimizer: str = "muon"
    lr: float = 1e-2
    muon_lr: float = 2e-2
    group_lr: float = 3e-2
    wait: float = 0.2
    weight_decay: float = 0.01
    warmup: int = 100
    clip: float = 1.0
    ema: float = 0.0
    patience: int | None = None
    seed: int = 0
    accelerator: str = "auto"
    devices: int | str = "auto"
    strategy: str = "auto"
    num_nodes: int = 1
    precision: str = "32-true"
    compile: bool = False

    def __post_init__(self):
        if self.epochs is None and self.minutes is None:
            self.epochs = 10
        self.shared()
        if self.action not in ACTIONS:
            raise unknown("action", self.action, ACTIONS)
        if self.train_size is not None and self.train_size < 1:
            raise InputError(f"train_size: expected at least 1, got {self.train_size}.")

    def shared(self) -> TrainConfig:
        """The settings that every run has; raises InputError for one that makes no sense."""
        ours = {f.name for f in fields(self)} & {f.name for f in fields(TrainConfig)}
        given = {name: getattr(self, name) for name in ours if getattr(self, name) is not None}
        return TrainConfig(**{"epochs": None, **given})


def read_config(path: Path) -> PictureConfig:
    """The settings in a run's config.yaml; raises InputError where it is not one."""
    try:
        return PictureConfig(**yaml.safe_load(path.read_text()))
    except (OSError, yaml.YAMLError, ValueError, TypeError) as error:
        text = " ".join(str(error).split())
        raise InputError(f"cannot read {path} as settings of a run on pictures: {text}") from error
