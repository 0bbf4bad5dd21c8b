"""The settings of a training run on pictures, beside those that all runs have."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import unknown
from .config import RunConfig, read_settings

ACTIONS = ("auto", "image", "colour")


@dataclass
class PictureConfig(RunConfig):
    """A training run on pictures.

    Args:
        data: a data set of pictures: mnist, fashion_mnist, cifar10, camvid, planted, up_down,
            collages.
        root: the folder of its files; mnist, planted, up_down and collages need none.
        data_args: settings of the data set, e.g. {"size": [90, 120]} for camvid.
        rotated_within: turn every picture once, by an angle up to this (rad).
        colour: half-widths of one fixed jitter of every picture's colours, e.g. {"hue": 3.14}.
        model: cnn, unet or package.module:Name; cnn, or for label maps unet, if not given.
        group: a group of the plane or of colours (see `molinv groups`), e.g. Affine2 or
            "Compose(SO2, Scaling(2))", or package.module:Name.
        action: what the group moves: image (places) or colour; auto tells by the group.
        padding: what comes in from outside: zeros, border or reflection.
        lam: weight of the reward, per nat of the loss; 0.1, for label maps 0.03, if not given.
        lam_start: its weight until `settle`, after which it decays to lam, shared among the group's
            generators as far as that leaves lam; 0.5, for label maps 0.1, if not given.
        valid_size: pictures to validate on; all of the validation part if not given.
        epochs: passes over the training pictures; 10 if neither it nor minutes is given.
        group_lr: the distribution's learning rate, which falls once the weight is lam.
    """

    data: str = "mnist"
    root: str | None = None
    data_args: dict[str, Any] = field(default_factory=dict)
    rotated_within: float = 0.0
    colour: dict[str, float] = field(default_factory=dict)
    group: str = "SO2"
    action: str = "auto"
    padding: str = "zeros"
    settle: float = 0.35
    lr: float = 1e-2
    muon_lr: float = 2e-2
    wait: float = 0.2
    warmup: int = 100

    passes = 10
    held = True
    group_end = 0.1

    def __post_init__(self):
        super().__post_init__()
        if self.action not in ACTIONS:
            raise unknown("action", self.action, ACTIONS)

    def start_weight(self, k: int) -> float:
        """Shared among k generators, as far as that leaves lam.

        Six extents at the weight of one could together outbid the label, and a network that sees
        nothing of it has no slope by which they would come back.
        """
        start = super().start_weight(k)
        assert self.lam is not None
        return max(min(start, self.lam), start / max(1, k))


def read_config(path: Path) -> PictureConfig:
    """The settings of a run on pictures; raises InputError as `read_settings` does."""
    return read_settings(path, PictureConfig)
