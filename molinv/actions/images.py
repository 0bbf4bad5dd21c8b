"""Pictures, and what a network says of every pixel."""

from __future__ import annotations

from abc import ABC
from typing import Any

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from ..errors import InputError, unknown
from ..groups.base import Group
from .base import Action, Each
from .warping import inside, pick, places, planar, sources

PADDING = ("zeros", "border", "reflection")


class _Planar(Action, ABC):
    """Pictures, or maps of their pixels, that a group of the plane moves."""

    tolerance = 0.01
    reach = 0.1

    def check(self, group: Group) -> None:
        """Raises InputError for a group that does not act on the plane."""
        if group.dim != 2:
            raise InputError(
                f"{type(self).__name__}({group}): expected a group of the plane, with 2 x 2 or "
                f"homogeneous 3 x 3 elements, got one of {group.dim}-dimensional space; use "
                f"{', '.join(planar())}."
            )

    def example(self, generator: torch.Generator, group: Group, n: int = 4) -> Tensor:
        """Smooth pictures: see `bumps`."""
        return bumps(generator, n)

    def _sources(self, group: Group, back: Tensor, x: Tensor) -> Tensor:
        """`sources`, for float pictures (b, c, h, w) that are as many as the elements."""
        self.check(group)
        name = f"{type(self).__name__}({group})"
        if x.ndim != 4 or len(x) != len(back) or 0 in x.shape[1:]:
            raise InputError(
                f"{name}: expected pictures (b, c, h, w), got {tuple(x.shape)}, with "
                f"b = {len(back)} group elements."
            )
        if not x.is_floating_point():
            raise InputError(
                f"{name}: expected floating-point values, got {x.dtype}; divide bytes by 255."
            )
        return sources(group, back, x)


class Image(_Planar):
    """Pictures (b, c, h, w) of any size, moved by a group of the plane: (g x)(p) = x(g^-1 p).

    Offsets are in units of half the shorter side, positive angles turn counter-clockwise (see
    `warping.py`). Values are interpolated bilinearly; `padding` is what a pixel gets that comes
    from outside: "zeros", the "border"'s value or the "reflection" there. Raises InputError for
    a group of another space, and says which groups can.
    """

    def __init__(self, padding: str = "zeros"):
        if padding not in PADDING:
            raise unknown("padding", padding, PADDING)
        self.padding = padding

    def act(self, group: Group, g: Each, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """The values that come to each pixel from its place moved by g^-1."""
        return pick(x, self._sources(group, group.inverse(g), x), self.padding)


class Segmentation(_Planar):
    """Scores of every pixel (b, classes, h, w), or label maps (b, h, w) of whole numbers.

    Scores are interpolated; near the edge the nearest pixel stands in for what is outside, so
    that no padding enters. Pulled back they come with a weight (b, 1, h, w): 1 where the pixel
    was inside the picture that the network saw, 0 where it was not, and a loss or a metric may
    not see it. Labels are never interpolated: each pixel takes the one that lies nearest to where
    it comes from, and `void` where that is outside. Raises InputError for a group of another
    space, and for labels where no `void` was given.
    """

    def __init__(self, void: int | None = None):
        self.void = void

    def act(
        self, group: Group, g: Each, x: Shaped[Tensor, "b *c h w"]
    ) -> Shaped[Tensor, "b *c h w"]:
        """Moved scores, or moved labels with `void` where they come from outside."""
        if x.ndim == 3 and not x.is_floating_point():
            return self._labels(group, g, x)
        return self._scores(group, group.inverse(g), x)[0]

    def pull_back(
        self, group: Group, g: Each, y: Float[Tensor, "b c h w"], context: Any
    ) -> tuple[Float[Tensor, "b c h w"], Float[Tensor, "b 1 h w"]]:
        """The scores where the input was, and the weight of each of its pixels."""
        value, weight = self._scores(group, g, y)
        return value, weight.to(value.dtype)

    def _scores(self, group: Group, back: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        source = self._sources(group, back, y)
        return pick(y, source, "border"), inside(source)

    def _labels(self, group: Group, g: Tensor, y: Tensor) -> Tensor:
        self.check(group)
        if self.void is None:
            raise InputError(
                f"Segmentation({group}): to move a label map, give the label of pixels from "
                "outside, as in Segmentation(void=255)."
            )
        values = y[:, None].double()  # exact for any label
        source = self._sources(group, group.inverse(g), values)
        moved = pick(values, source, "border", "nearest")
        return torch.where(inside(source), moved, self.void)[:, 0].to(y.dtype)


def bumps(generator: torch.Generator, n: int) -> Float[Tensor, "n 2 h w"]:
    """Smooth pictures, float64, of three bumps each that lie well inside the frame."""
    p = places(96, 128)

    def draw(*shape: int) -> Tensor:
        return torch.rand(n, 2, 3, *shape, generator=generator, dtype=torch.float64)

    centres, heights = 0.5 * (draw(2) - 0.5), 2 * draw() - 1
    square = (p - centres[..., None, None, :]).square().sum(-1)
    return (heights[..., None, None] * torch.exp(-square / (2 * 0.18**2))).sum(2)
