"""Groups that act on the (red, green, blue) values of a pixel."""

from __future__ import annotations

from math import log, pi

import torch
from jaxtyping import Float
from torch import Tensor

from .base import Group, assemble
from .exponential import expm1_over
from .so3 import About


class Hue(About):
    """Rotations of RGB about the grey axis (1, 1, 1) / sqrt 3 by an angle (rad).

    Positive angles go from red through green to blue; 2 pi / 3 permutes the channels.
    """

    EXAMPLES = ((),)

    def __init__(self):
        super().__init__(1, 1, 1)
        self.names = ("hue",)


class ColourJitter(Group):
    """Hue (rad), saturation (log-scale), brightness (fraction of the range), contrast (log-scale).

    On RGB in [0, 1], hue rotates about the grey axis, saturation scales the distance from it,
    brightness is added to all channels, and contrast scales the distance from `middle` grey.
    Elements are homogeneous 4 x 4 matrices; values that leave [0, 1] are not clipped.
    """

    def __init__(self, middle: float = 0.5):
        generators = torch.zeros(4, 4, 4, dtype=torch.float64)
        generators[0, :3, :3] = Hue().double().generators[0]
        generators[1, :3, :3] = torch.eye(3, dtype=torch.float64) - 1 / 3  # removes the grey part
        generators[2, :3, 3] = 1
        generators[3, :3, :3] = torch.eye(3)
        generators[3, :3, 3] = -middle
        names = ["hue", "saturation", "brightness", "contrast"]
        units, caps = ["rad", "log-scale", "range", "log-scale"], [pi, log(2), 0.5, log(2)]
        super().__init__(generators, names, units, caps, compact=False, homogeneous=True)
        self.to(torch.get_default_dtype())  # rounded once, from float64

    def exp(self, xi: Float[Tensor, "*b 4"]) -> Float[Tensor, "*b 4 4"]:
        """Closed form: rotate and scale the plane across the grey axis, map the axis affinely."""
        rate = self.algebra(xi)[..., :3, 3:]  # the offset's rate, before contrast scales it
        turn, plane = self.generators[:2, :3, :3].to(xi)
        hue, saturation, _, contrast = xi[..., None, None].unbind(-3)
        chroma = saturation.exp() * (hue.cos() * plane + hue.sin() * turn)
        grey = torch.eye(3, dtype=xi.dtype, device=xi.device) - plane
        return assemble(contrast.exp() * (grey + chroma), expm1_over(contrast) * rate)

    def log(self, g: Float[Tensor, "*b 4 4"]) -> Float[Tensor, "*b 4"]:
        """Coefficients of g, with the hue in (-pi, pi]."""
        turn, plane = self.generators[:2, :3, :3].to(g)
        linear, offset = g[..., :3, :3], g[..., :3, 3].mean(-1)
        sine = (turn * linear).sum((-1, -2)) / 2
        cosine = (plane * linear).sum((-1, -2)) / 2
        contrast = linear.sum((-1, -2)).div(3).log()
        saturation = torch.hypot(sine, cosine).log() - contrast
        middle = -self.generators[3, 0, 3].to(g)
        brightness = offset / expm1_over(contrast) + middle * contrast
        return torch.stack([torch.atan2(sine, cosine), saturation, brightness, contrast], -1)
