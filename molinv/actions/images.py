"""Pictures, and per-pixel outputs of a network."""

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
    """Pictures or pixel maps, moved by a group of the plane."""

    tolerance = 0.01
    reach = 0.1

    def check(self, group: Group) -> None:
        """Raise InputError for a group that does not act on the plane."""
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
        """`sources`; raises InputError unless x is float (b, c, h, w) with b elements `back`."""
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

    Offsets are in units of half the shorter side, and positive angles are counter-clockwise (see
    `warping.py`). Values are interpolated bilinearly. Pixels that come from outside the picture
    are filled according to `padding`: "zeros", "border" (nearest edge pixel) or "reflection".
    Raises InputError for a group that does not act on the plane.
    """

    def __init__(self, padding: str = "zeros"):
        if padding not in PADDING:
            raise unknown("padding", padding, PADDING)
        self.padding = padding

    def act(self, group: Group, g: Each, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """The values of x at each pixel's position moved by g^-1."""
        return pick(x, self._sources(group, group.inverse(g), x), self.padding)


class Segmentation(_Planar):
    """Scores for every pixel (b, classes, h, w), or integer label maps (b, h, w).

    Scores are interpolated bilinearly; positions outside the picture take the value of the
    nearest pixel. `pull_back` also returns a weight (b, 1, h, w): 1 if the pixel was inside the
    picture that the network saw, else 0. Losses and metrics must ignore pixels of weight 0.

    Labels are never interpolated. Each pixel takes the nearest label at its source position, or
    `void` if that position is outside. Raises InputError for a group that does not act on the
    plane, and for labels if `void` is not set.
    """

    def __init__(self, void: int | None = None):
        self.void = void

    def act(
        self, group: Group, g: Each, x: Shaped[Tensor, "b *c h w"]
    ) -> Shaped[Tensor, "b *c h w"]:
        """Moved scores, or moved labels with `void` for pixels that come from outside."""
        if x.ndim == 3 and not x.is_floating_point():
            return self._labels(group, g, x)
        return self._scores(group, group.inverse(g), x)[0]

    def pull_back(
        self, group: Group, g: Each, y: Float[Tensor, "b c h w"], context: Any
    ) -> tuple[Float[Tensor, "b c h w"], Float[Tensor, "b 1 h w"]]:
        """The scores at the pixels of the original input, and the weight of each pixel."""
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
    """Smooth pictures in float64: three Gaussian bumps each, well inside the frame."""
    p = places(96, 128)

    def draw(*shape: int) -> Tensor:
        return torch.rand(n, 2, 3, *shape, generator=generator, dtype=torch.float64)

    centres, heights = 0.5 * (draw(2) - 0.5), 2 * draw() - 1
    square = (p - centres[..., None, None, :]).square().sum(-1)
    return (heights[..., None, None] * torch.exp(-square / (2 * 0.18**2))).sum(2)
