"""What a network on pictures says of itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from ...actions import Action, Image, Invariant, Segmentation
from ...datasets.pictures.batches import PictureBatch


class PictureModel(nn.Module, ABC):
    """A network from pictures (b, c, h, w), of any size, to t outputs.

    A new architecture is one file in this folder whose class derives from this one; it is found
    by the file's name, and tested. `maps` says whether its outputs are for every pixel,
    (b, t, h, w), or for every picture, (b, t). Its constructor takes the number of targets
    first, then settings with defaults that JSON can hold, among them `channels`. No symmetry is
    claimed. An example's outputs depend on nothing else in its batch, in training either.

    action      how a group moves the pictures: Image, unless set otherwise (Colour)
    output      how it moves the outputs: Segmentation for maps, else Invariant
    """

    maps: ClassVar[bool] = False

    def __init__(self):
        super().__init__()
        self.action: Action = Image()
        self.output: Action = Segmentation() if self.maps else Invariant()

    def inputs(self, batch: PictureBatch) -> tuple[Any, ...]:
        """What `forward` is called with: what the group acts on."""
        return (batch.x,)

    @abstractmethod
    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b t *hw"]:
        """Outputs for each picture or pixel."""
