"""The paper's 13-layer network's small sibling."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ...actions.warping import places
from .base import PictureModel
from .blocks import check_pictures, check_width, convolve


class CNN(PictureModel):
    """Nine convolutions in three stages, the largest values over the picture, a linear layer.

    Stages of width, 2 and 4 times it, the last one narrowing again by 1 x 1 convolutions, as in
    the 13-layer network of Benton et al. (NeurIPS 2020, section 6.1); 0.20 M parameters at width
    32. The largest and not the mean: normalised within a picture, channels have nearly the same
    mean in all of them (61 % of digits right after two epochs of 4,000, against 90 %).
    The largest value is the same wherever it is: `coordinates` adds every pixel's (x, y) to its
    channels, for tasks that ask where things are (Liu et al., NeurIPS 2018).
    forward(x (b, channels, h, w)) returns (b, targets). Raises InputError for other shapes.
    """

    def __init__(
        self, targets: int = 10, channels: int = 1, width: int = 32, coordinates: bool = False
    ):
        super().__init__()
        check_width("cnn", width, channels)
        self.channels, self.coordinates = channels, coordinates
        w, layers, before = width, [], channels + 2 * coordinates
        for i, (after, size) in enumerate(
            [(w, 3)] * 3 + [(2 * w, 3)] * 3 + [(4 * w, 3), (2 * w, 1), (w, 1)]
        ):
            if i in (3, 6):
                layers.append(nn.MaxPool2d(2))
            layers.append(convolve(before, after, size))
            before = after
        self.layers = nn.Sequential(*layers)
        self.read = nn.Linear(w, targets)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b t"]:
        check_pictures("cnn", x, self.channels, 4)
        if self.coordinates:
            at = places(*x.shape[2:]).to(x).movedim(-1, 0)
            x = torch.cat([x, at.expand(len(x), -1, -1, -1)], 1)
        return self.read(self.layers(x).amax((-2, -1)))
