"""The settings of a training run on pictures, in addition to those of all runs."""

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
        data: data set of pictures: mnist, fashion_mnist, cifar10, camvid, planted, up_down,
            collages.
        root: folder of the data set's files; not needed for mnist, planted, up_down and collages.
        data_args: settings of the data set, e.g. {"size": [90, 120]} for camvid.
        rotated_within: rotate every picture once, by a random angle up to this one (rad).
        colour: half-widths of one fixed random colour change per picture, e.g. {"hue": 3.14}.
        model: cnn, unet or package.module:Name; cnn, or for label maps unet, if not given.
        group: a group of the plane or of colours (see `molinv groups`), e.g. Affine2 or
            "Compose(SO2, Scaling(2))", or package.module:Name.
        action: what the group acts on: image (positions) or colour; auto decides by the group.
        padding: values outside the picture: zeros, border or reflection.
        lam: weight of the reward for a wide distribution, per nat of the loss; 0.1 if not given, or
            0.03 for label maps.
        lam_start: weight of the reward until `settle`, after which it decays to lam; 0.5 if not
            given, or 0.1 for label maps. It is divided by the number of the group's generators, but
            is at least lam.
        valid_size: number of pictures to validate on; the whole validation part if not given.
        epochs: passes over the training pictures; 10 if neither epochs nor minutes are given.
        group_lr: the distribution's learning rate, which decays once the weight has reached lam.
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
        """The initial weight, divided among k generators, but not below lam.

        Without the division, the reward of several extents together could exceed what the label is
        worth. The network would then ignore its input, and no gradient would close the extents.
        """
        start = super().start_weight(k)
        assert self.lam is not None
        return max(min(start, self.lam), start / max(1, k))


def read_config(path: Path) -> PictureConfig:
    """The settings of a run on pictures, from its config.yaml; raises like `read_settings`."""
    return read_settings(path, PictureConfig)
