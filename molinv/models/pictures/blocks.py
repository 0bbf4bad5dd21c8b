"""What the networks on pictures are built of."""

from __future__ import annotations

from torch import Tensor, nn

from ...errors import InputError

TOGETHER = 8  # channels that are normalised as one; of one alone the mean would be lost


def convolve(inputs: int, outputs: int, size: int = 3) -> nn.Sequential:
    """A convolution that keeps the size, normalised within each picture, and a leaky ReLU.

    Not by batch: a picture's outputs would depend on its neighbours, and on how many processes
    share a batch, and averages of weights would need statistics of their own.
    """
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False),
        nn.GroupNorm(outputs // TOGETHER, outputs),
        nn.LeakyReLU(0.1),
    )


def check_width(name: str, width: int, channels: int) -> None:
    """Raises InputError unless the channels can be normalised in groups."""
    if width < TOGETHER or width % TOGETHER or channels < 1:
        raise InputError(
            f"{name}: expected a width divisible by {TOGETHER} and at least one channel, got "
            f"{width} and {channels}."
        )


def check_pictures(name: str, x: Tensor, channels: int, least: int) -> None:
    """Raises InputError unless x is (b, channels, h, w) and large enough."""
    if x.ndim != 4 or x.shape[1] != channels or min(x.shape[2:]) < least:
        raise InputError(
            f"{name}: expected pictures (b, {channels}, h, w) of at least {least} x {least} "
            f"pixels, got {tuple(x.shape)}."
        )
