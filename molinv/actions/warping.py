"""Where the pixels of a moved picture come from: shared by the actions on pictures.

Places are (x, y) from the middle of the picture, x to the right and y up, in units of half its
shorter side: that side reaches from -1 to 1 and the longer one further. So a rotation of the
plane is one of the picture as it is seen, whatever its aspect ratio, positive angles are
counter-clockwise as in `torch.rot90`, and a translation by 1 moves by half the shorter side at
any resolution. Pixels are squares; the picture ends at their outer edges.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import grid_sample

from ..groups import available
from ..groups.base import Group


def places(h: int, w: int) -> Float[Tensor, "h w 2"]:
    """(x, y) of the middle of every pixel, float64."""
    double = torch.empty(0, dtype=torch.float64)
    y, x = _centres(h, double), _centres(w, double)
    grid = torch.stack([x.expand(h, w), -y[:, None].expand(h, w)], -1)
    return grid * (torch.tensor([w, h], dtype=torch.float64) / min(h, w))


def planar() -> list[str]:
    """An example of every kind of group of the plane, as its name is written."""
    examples = [[g for g in kind.examples() if g.dim == 2] for kind in available().values()]
    return [str(found[-1]) for found in examples if found]


def sources(
    group: Group, back: Float[Tensor, "b d d"], x: Float[Tensor, "b c h w"]
) -> Float[Tensor, "b h w 2"]:
    """Where each pixel of g x lies in x: `back`, which is g^-1, of its place.

    In `grid_sample`'s coordinates, from -1 to 1 between the outer edges on both axes, y down. The
    matrix is brought there rather than the pixels, so that at the identity every pixel comes
    from itself. Half precision would miss pixels: at least float32.
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
    """The values of x there; half precision is raised to float32 on the way."""
    moved = grid_sample(x.to(source.dtype), source, mode, padding, align_corners=False)
    return moved.to(x.dtype)


def inside(source: Float[Tensor, "b h w 2"]) -> Bool[Tensor, "b 1 h w"]:
    """Whether a pixel comes from inside the picture's outer edges."""
    return (source.abs() <= 1).all(-1)[:, None]


def _centres(n: int, like: Tensor) -> Float[Tensor, " n"]:
    """Middles of n pixels between -1 and 1."""
    return (2 * torch.arange(n, dtype=like.dtype, device=like.device) + 1) / n - 1
