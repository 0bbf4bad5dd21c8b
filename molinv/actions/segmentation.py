"""What a network says of every pixel."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from ..errors import InputError
from ..groups.base import Group
from .base import Action
from .images import bumps
from .warping import check_pictures, check_planar, inside, pick, sources


class Segmentation(Action):
    """Scores of every pixel (b, classes, h, w), or label maps (b, h, w) of whole numbers.

    Scores are interpolated; near the edge the nearest pixel stands in for what is outside, so
    that no padding enters. Pulled back they come with a weight (b, 1, h, w): 1 where the pixel
    was inside the picture that the network saw, 0 where it was not, and a loss or a metric may
    not see it. Labels are never interpolated: each pixel takes the one that lies nearest to where
    it comes from, and `void` where that is outside. Raises InputError for a group of another
    space, and for labels where no `void` was given.
    """

    tolerance = 0.01
    reach = 0.1

    def __init__(self, void: int | None = None):
        self.void = void

    def check(self, group: Group) -> None:
        """Raises InputError for a group that does not act on the plane."""
        check_planar("Segmentation", group)

    def act(
        self, group: Group, g: Float[Tensor, "b d d"], x: Shaped[Tensor, "b *c h w"]
    ) -> Shaped[Tensor, "b *c h w"]:
        """Moved scores, or moved labels with `void` where they come from outside."""
        self.check(group)
        if x.ndim == 3 and not x.is_floating_point():
            return self._labels(group, g, x)
        return self._scores(group, group.inverse(g), x)[0]

    def pull_back(
        self, group: Group, g: Float[Tensor, "b d d"], y: Float[Tensor, "b c h w"], context: Any
    ) -> tuple[Float[Tensor, "b c h w"], Float[Tensor, "b 1 h w"]]:
        """The scores where the input was, and the weight of each of its pixels."""
        self.check(group)
        value, weight = self._scores(group, g, y)
        return value, weight.to(value.dtype)

    def example(self, generator: torch.Generator, group: Group, n: int = 4) -> Tensor:
        """Smooth scores: see `bumps`."""
        return bumps(generator, n)

    def _scores(self, group: Group, back: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        check_pictures("Segmentation", group, back, y)
        source = sources(group, back, y)
        return pick(y, source, "border"), inside(source)

    def _labels(self, group: Group, g: Tensor, y: Tensor) -> Tensor:
        if self.void is None:
            raise InputError(
                f"Segmentation({group}): to move a label map, give the label of pixels from "
                "outside, as in Segmentation(void=255)."
            )
        values = y[:, None].double()  # exact for any label
        check_pictures("Segmentation", group, g, values)
        source = sources(group, group.inverse(g), values)
        moved = pick(values, source, "border", "nearest")
        return torch.where(inside(source), moved, self.void)[:, 0].to(y.dtype)
