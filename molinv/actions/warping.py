"""Source positions of the pixels of a moved picture, shared by the actions on pictures.

Positions are (x, y) from the centre of the picture, x to the right and y up, in units of half
the shorter side. The shorter side reaches from -1 to 1, the longer one further. Thus rotations
do not distort a picture, whatever its aspect ratio, and positive angles are counter-clockwise
as in `torch.rot90`. A translation by 1 moves by half the shorter side at any resolution. Pixels
are squares; the picture ends at their outer edges.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import grid_sample

from ..groups import available
from ..groups.base import Group


def places(h: int, w: int) -> Float[Tensor, "h w 2"]:
    """(x, y) of the centre of every pixel, in float64."""
    double = torch.empty(0, dtype=torch.float64)
    y, x = _centres(h, double), _centres(w, double)
    grid = torch.stack([x.expand(h, w), -y[:, None].expand(h, w)], -1)
    return grid * (torch.tensor([w, h], dtype=torch.float64) / min(h, w))


def planar() -> list[str]:
    """The name of one example of every class of groups of the plane."""
    examples = [[g for g in kind.examples() if g.dim == 2] for kind in available().values()]
    return [str(found[-1]) for found in examples if found]


def sources(
    group: Group, back: Float[Tensor, "b d d"], x: Float[Tensor, "b c h w"]
) -> Float[Tensor, "b h w 2"]:
    """The position in x of each pixel of g x: `back`, which is g^-1, applied to the pixel.

    The result is in `grid_sample`'s coordinates: from -1 to 1 between the outer edges on both
    axes, y down. The matrix, not the pixels, is converted to these coordinates, so that the
    identity maps every pixel exactly to itself. At least float32 is used, because half precision
    would miss pixels.
    """
    dtype, (h, w) = torch.promote_types(x.dtype, torch.float32), x.shape[-2:]
    back = back.to(dtype)
    row = [1.0, -h / w, min(h, w) / w]
    column = [-w / h, 1.0, -min(h, w) / h]
    scale = torch.tensor([row, column], dtype=dtype, device=back.device)
    m = back[:, :2] * scale[:, : group.d]
    across = m[..., 0, None, None] * _centres(w, back)  # (b, 2, 1, w)
    down = m[..., 1, None, None] * _centres(h, back)[:, None]  # (b, 2, h, 1)
    if group.homogeneous:
        down = down + m[..., 2, None, None]
    return (across + down).movedim(1, -1)


def pick(
    x: Float[Tensor, "b c h w"],
    source: Float[Tensor, "b h w 2"],
    padding: str = "zeros",
    mode: str = "bilinear",
) -> Float[Tensor, "b c h w"]:
    """The values of x at the source positions; half precision is interpolated in float32."""
    moved = grid_sample(x.to(source.dtype), source, mode, padding, align_corners=False)
    return moved.to(x.dtype)


def inside(source: Float[Tensor, "b h w 2"]) -> Bool[Tensor, "b 1 h w"]:
    """Whether each pixel comes from inside the picture's outer edges."""
    return (source.abs() <= 1).all(-1)[:, None]


def _centres(n: int, like: Tensor) -> Float[Tensor, " n"]:
    """The centres of n pixels between -1 and 1."""
    return (2 * torch.arange(n, dtype=like.dtype, device=like.device) + 1) / n - 1
