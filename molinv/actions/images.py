"""Pictures."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import unknown
from ..groups.base import Group
from .base import Action
from .warping import check_pictures, check_planar, pick, places, sources

PADDING = ("zeros", "border", "reflection")


class Image(Action):
    """Pictures (b, c, h, w) of any size, moved by a group of the plane: (g x)(p) = x(g^-1 p).

    Offsets are in units of half the shorter side, positive angles turn counter-clockwise (see
    `warping.py`). Values are interpolated bilinearly; `padding` is what a pixel gets that comes
    from outside: "zeros", the "border"'s value or the "reflection" there. Raises InputError for
    a group of another space, and says which groups can.
    """

    tolerance = 0.01
    reach = 0.1

    def __init__(self, padding: str = "zeros"):
        if padding not in PADDING:
            raise unknown("padding", padding, PADDING)
        self.padding = padding

    def check(self, group: Group) -> None:
        """Raises InputError for a group that does not act on the plane."""
        check_planar("Image", group)

    def act(
        self, group: Group, g: Float[Tensor, "b d d"], x: Float[Tensor, "b c h w"]
    ) -> Float[Tensor, "b c h w"]:
        """The values that come to each pixel from its place moved by g^-1."""
        self.check(group)
        check_pictures("Image", group, g, x)
        return pick(x, sources(group, group.inverse(g), x), self.padding)

    def example(self, generator: torch.Generator, group: Group, n: int = 4) -> Tensor:
        """Smooth pictures: see `bumps`."""
        return bumps(generator, n)


def bumps(generator: torch.Generator, n: int) -> Float[Tensor, "n 2 h w"]:
    """Smooth pictures, float64, of three bumps each that lie well inside the frame."""
    p = places(96, 128)

    def draw(*shape: int) -> Tensor:
        return torch.rand(n, 2, 3, *shape, generator=generator, dtype=torch.float64)

    centres, heights = 0.5 * (draw(2) - 0.5), 2 * draw() - 1
    square = (p - centres[..., None, None, :]).square().sum(-1)
    return (heights[..., None, None] * torch.exp(-square / (2 * 0.18**2))).sum(2)
