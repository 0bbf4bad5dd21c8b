"""The colours of pictures."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import InputError
from ..groups.base import Group
from .base import Action, Each, same_precision


class Colour(Action):
    """The channels of RGB pictures (b, 3, h, w), moved as columns by 3 x 3 or 4 x 4 elements.

    The group is Hue, ColourJitter or any group of three dimensions. Values are not clipped to
    [0, 1], because a clipped map does not compose as a group action does. Raises InputError for
    another group or number of channels.
    """

    def check(self, group: Group) -> None:
        """Raise InputError for a group that does not act on three channels."""
        if group.dim != 3:
            raise InputError(
                f"Colour({group}): expected a group on RGB, with 3 x 3 or homogeneous 4 x 4 "
                f"elements, got one of {group.dim}-dimensional space; use Hue or ColourJitter."
            )

    def act(self, group: Group, g: Each, x: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
        """L x plus the offset of g, at every pixel."""
        self.check(group)
        if x.ndim == 4 and x.shape[1] == 1:
            raise InputError(
                f"Colour({group}): expected colour pictures (b, 3, h, w), got grey ones "
                f"{tuple(x.shape)}, which have no colour to move; tint them first (in a run on "
                "pictures by --colour '{\"hue\": 0}')."
            )
        if x.ndim != 4 or x.shape[1] != 3 or len(x) != len(g) or not x.is_floating_point():
            raise InputError(
                f"Colour({group}): expected floating-point pictures (b, 3, h, w), got "
                f"{tuple(x.shape)} of {x.dtype}, with b = {len(g)} group elements."
            )
        g, x = same_precision(g, x)
        moved = (group.linear(g) @ x.flatten(2)).view_as(x)
        return moved + g[:, :3, 3, None, None] if group.homogeneous else moved

    def example(self, generator: torch.Generator, group: Group, n: int = 4) -> Tensor:
        """Uniform pictures (n, 3, 4, 5)."""
        return torch.rand(n, 3, 4, 5, generator=generator, dtype=torch.float64)
