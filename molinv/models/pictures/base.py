"""The interface between a network on pictures and the trainer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from ...actions import Action, Image, Invariant, Segmentation
from ...datasets.pictures.batches import PictureBatch


class PictureModel(nn.Module, ABC):
    """A network from pictures (b, c, h, w), of any size, to t outputs.

    A new architecture is one file in this folder, whose class derives from PictureModel; it is
    found by the file's name, and the tests check it. The constructor takes the number of targets
    first, then settings whose defaults can be written as JSON; one of them is `channels`. The
    network is assumed to have no symmetry. The outputs of an example must not depend on the
    other examples in its batch, also in training.

    maps        whether outputs are for every pixel, (b, t, h, w), or for every picture, (b, t)
    action      how a group moves the pictures: Image by default, or Colour
    output      how a group moves the outputs: Segmentation for maps, else Invariant
    """

    maps: ClassVar[bool] = False

    def __init__(self):
        super().__init__()
        self.action: Action = Image()
        self.output: Action = Segmentation() if self.maps else Invariant()

    def inputs(self, batch: PictureBatch) -> tuple[Any, ...]:
        """The arguments of `forward`: the pictures, which the group acts on."""
        return (batch.x,)

    @abstractmethod
    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b t *hw"]:
        """The outputs for each picture, or for each pixel."""
