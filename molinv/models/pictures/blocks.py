"""Building blocks and checks of the networks on pictures."""

from __future__ import annotations

from torch import Tensor, nn

from ...errors import InputError

TOGETHER = 8  # channels in a normalisation group; a single channel would lose its mean


def convolve(inputs: int, outputs: int, size: int = 3) -> nn.Sequential:
    """A convolution that keeps the size, group normalisation, and a leaky ReLU.

    Batch normalisation is not used. It would make a picture's outputs depend on the other
    pictures in the batch and on the number of processes, and averaged weights would need their
    own batch statistics.
    """
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False),
        nn.GroupNorm(outputs // TOGETHER, outputs),
        nn.LeakyReLU(0.1),
    )


def check_width(name: str, width: int, channels: int) -> None:
    """Raise InputError unless the channels can be normalised in groups."""
    if width < TOGETHER or width % TOGETHER or channels < 1:
        raise InputError(
            f"{name}: expected a width divisible by {TOGETHER} and at least one channel, got "
            f"{width} and {channels}."
        )


def check_pictures(name: str, x: Tensor, channels: int, least: int) -> None:
    """Raise InputError unless x is (b, channels, h, w) with at least `least` pixels a side."""
    if x.ndim != 4 or x.shape[1] != channels or min(x.shape[2:]) < least:
        raise InputError(
            f"{name}: expected pictures (b, {channels}, h, w) of at least {least} x {least} "
            f"pixels, got {tuple(x.shape)}."
        )
