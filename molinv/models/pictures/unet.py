"""A small U-Net: Ronneberger, Fischer, Brox, MICCAI 2015 (arXiv 1505.04597)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import interpolate, max_pool2d

from ...errors import InputError
from .base import PictureModel
from .blocks import check_pictures, check_width, convolve


class UNet(PictureModel):
    """An encoder and a decoder with two convolutions in each level, and skip connections.

    Each of the `levels` halves the size and doubles the channels, up to 8 times `width`. There
    are 0.49 M parameters at width 16 with 3 levels. Pictures may have any size of at least
    2^levels pixels a side, since the decoder resizes to the size of each skip connection.
    forward(x (b, channels, h, w)) returns scores (b, targets, h, w). Raises InputError for other
    shapes, and for levels outside 1 to 6.
    """

    maps = True

    def __init__(self, targets: int = 11, channels: int = 3, width: int = 16, levels: int = 3):
        super().__init__()
        check_width("unet", width, channels)
        if not 1 <= levels <= 6:
            raise InputError(f"unet: expected 1 to 6 levels, got {levels}.")
        self.channels, self.least = channels, 2**levels
        widths = [width * min(2**i, 8) for i in range(levels + 1)]
        self.down = nn.ModuleList(
            _twice(before, after)
            for before, after in zip([channels, *widths], widths, strict=False)
        )
        self.up = nn.ModuleList(
            _twice(widths[i] + widths[i + 1], widths[i]) for i in reversed(range(levels))
        )
        self.read = nn.Conv2d(width, targets, 1)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b t h w"]:
        check_pictures("unet", x, self.channels, self.least)
        skips = []
        for i, layer in enumerate(self.down):
            x = layer(x if i == 0 else max_pool2d(x, 2))
            skips.append(x)
        skips.pop()
        for layer in self.up:
            skip = skips.pop()
            x = interpolate(x, skip.shape[-2:], mode="bilinear", align_corners=False)
            x = layer(torch.cat([x, skip], 1))
        return self.read(x)


def _twice(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(convolve(inputs, outputs), convolve(outputs, outputs))
