"""What it costs to sample a group and warp pictures, beside kornia's affine warp.

A batch of pictures is moved by elements drawn from a learnable UniformBox, and differentiated
back to the half-widths. kornia's `warp_affine` warps the same batch by the same maps, given to
it ready made in pixels, and is differentiated back to them: it samples nothing and inverts by
formula. Both interpolate bilinearly onto zeros and are timed in turn in one run; their ratio is
taken within a round. Before that, both have to give the same pictures. Needs the extra `bench`.

    molinv bench warp
    molinv bench warp --groups SO2,Affine2 --device cuda
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from jaxtyping import Float
from rich.console import Console
from rich.table import Table
from torch import Tensor

from .. import groups
from ..actions import Image
from ..distributions import UniformBox
from ..errors import InputError
from ..groups.base import Group
from ..reading import split
from ..training.saved import write_json
from .batches import random_batch
from .throughput import find_device, machine
from .turns import Spread, Task, in_turn, ratios, spread

INIT = 0.1  # of every half-width, in its unit


def main(
    out: str = "warp",
    groups: str = "SO2,SE2,Affine2",
    batch: int = 128,
    channels: int = 3,
    size: int = 32,
    rounds: int = 21,
    device: str = "cpu",
    quick: bool = False,
) -> None:
    """Time sampling and warping, print a table and write warp.json into the folder.

    Args:
        out: the folder to write into.
        groups: groups of the plane, names separated by commas.
        batch: pictures a batch.
        channels: channels a picture.
        size: height and width of the pictures.
        rounds: how often everything is measured.
        device: where to run: cpu, cuda.
        quick: one short round, which shows that it works and little more.
    """
    for name, value in {
        "batch": batch,
        "channels": channels,
        "size": size,
        "rounds": rounds,
    }.items():
        if value < 1:
            raise InputError(f"{name}: expected at least 1, got {value}.")
    chosen, where = _groups(groups), find_device(device)
    warp = _kornia()
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(batch, channels, size, size, generator=generator).to(where)
    up = torch.randn(x.shape, generator=generator).to(where)
    console, rows = Console(), {}
    count = random_batch(batch, 1, where)  # `in_turn` counts by it; the pictures are x
    for group in chosen:
        ours, theirs = _steps(group.to(where), x, up, warp)
        tasks = {"molinv": Task(ours, [count]), "kornia": Task(theirs, [count])}
        seconds = in_turn(tasks, 1 if quick else rounds, 0.0 if quick else 0.2, lambda text: None)
        rows[str(group)] = {
            "molinv_ms": spread([1e3 * batch * t for t in seconds["molinv"]]),
            "kornia_ms": spread([1e3 * batch * t for t in seconds["kornia"]]),
            "ratio": ratios(seconds["molinv"], seconds["kornia"]),
        }
    console.print(_table(rows, tuple(x.shape)))
    found = machine(where)
    console.print(", ".join(f"{k} {v}" for k, v in found.items()), highlight=False)
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    settings = {"shape": list(x.shape), "rounds": rounds, "quick": quick}
    plain = {k: {n: v._asdict() for n, v in row.items()} for k, row in rows.items()}
    write_json(folder / "warp.json", {"machine": found, "settings": settings, "groups": plain})


def _steps(
    group: Group, x: Float[Tensor, "b c h w"], up: Float[Tensor, "b c h w"], warp: Callable
) -> tuple[Callable, Callable]:
    """A forward and backward pass of molinv's and of kornia's, which were seen to agree."""
    mu, image = UniformBox(group, init=INIT).to(x.device), Image()
    generator = torch.Generator(x.device).manual_seed(0)
    shape, n = (x.shape[2], x.shape[3]), len(x)
    fixed = mu.rsample(n, generator).detach()
    maps = to_pixels(group, fixed, *shape).requires_grad_()
    miss = image.act(group, fixed, x) - warp(x, maps, shape, align_corners=False)
    if not float(miss.detach().abs().max()) < 1e-3:
        raise RuntimeError(
            f"molinv and kornia disagree on {group} by {float(miss.abs().max()):.1e}."
        )

    def ours(_):
        image.act(group, mu.rsample(n, generator), x).backward(up)

    def theirs(_):
        warp(x, maps, shape, align_corners=False).backward(up)

    return ours, theirs


def to_pixels(group: Group, g: Float[Tensor, "b d d"], h: int, w: int) -> Float[Tensor, "b 2 3"]:
    """The same maps on pixel indices (column, row), as kornia takes them."""
    half = min(h, w) / 2
    into = torch.tensor([[half, 0, (w - 1) / 2], [0, -half, (h - 1) / 2], [0, 0, 1]]).to(g)
    whole = torch.eye(3).to(g).repeat(len(g), 1, 1)
    whole[:, : group.d, : group.d] = g
    return (into @ whole @ into.inverse())[:, :2].clone()


def _groups(text: str) -> list[Group]:
    chosen = [groups.find(name) for name in split(text)]
    for group in chosen:
        Image().check(group)
        if group.k == 0:
            raise InputError(f"groups: {group} has no extents to learn; give one that has.")
    if not chosen:
        raise InputError(f"groups: expected names, got {text!r}.")
    return chosen


def _kornia() -> Callable:
    try:
        from kornia.geometry.transform import warp_affine
    except ImportError as error:
        raise InputError("bench warp needs kornia: pip install 'molinv[bench]'.") from error
    return warp_affine


def _table(rows: dict[str, dict[str, Spread]], shape: tuple[int, ...]) -> Table:
    size = " x ".join(str(n) for n in shape)
    title = f"Sampling and warping {size}, forward and backward: median (lowest to highest)"
    made = Table("group", title=title)
    for column in ("molinv, ms", "kornia's warp alone, ms", "ratio"):
        made.add_column(column, justify="right")
    for name, row in rows.items():
        cells = [f"{v.median:.2f} ({v.low:.2f} to {v.high:.2f})" for v in row.values()]
        made.add_row(name, *cells)
    return made
