"""The cost of sampling a group and warping pictures, compared with kornia's affine warp.

A batch of pictures is moved by elements drawn from a learnable UniformBox, and gradients are
propagated back to the half-widths. kornia's `warp_affine` warps the same batch with the same maps.
It gets these maps precomputed in pixels, and gradients are propagated back to them, so it does not
sample and inverts by formula. Both interpolate bilinearly and pad with zeros. They are timed in
turn in one run, and ratios are taken within a round. Before that, their pictures are checked to be
equal. Needs the extra `bench`.

    molinv bench warp
    molinv bench warp --groups SO2,Affine2 --device cuda
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from jaxtyping import Float
from rich.console import Console
from torch import Tensor

from ... import groups
from ...actions import Image
from ...distributions import UniformBox
from ...errors import InputError
from ...groups.base import Group
from ..flags import find_device, listed, positive
from ..report import interval, machine, table, write
from ..turns import Task, in_turn, ratios, spread

INIT = 0.1  # initial half-width along every generator, in its unit


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
        out: output folder.
        groups: groups of the plane, names separated by commas.
        batch: pictures per batch.
        channels: channels per picture.
        size: height and width of the pictures, in pixels.
        rounds: number of timing rounds.
        device: where to run: cpu, cuda.
        quick: one short round, a check that everything runs.
    """
    positive(batch=batch, channels=channels, size=size, rounds=rounds)
    chosen, where = _groups(groups), find_device(device)
    warp = _kornia()
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(batch, channels, size, size, generator=generator).to(where)
    up = torch.randn(x.shape, generator=generator).to(where)
    found = {}
    for group in chosen:
        ours, theirs = _steps(group.to(where), x, up, warp)
        tasks = {"molinv": Task(ours, [x], where), "kornia": Task(theirs, [x], where)}
        seconds = in_turn(tasks, 1 if quick else rounds, 0.0 if quick else 0.2)
        found[str(group)] = {
            "molinv_ms": spread([1e3 * batch * t for t in seconds["molinv"]]),
            "kornia_ms": spread([1e3 * batch * t for t in seconds["kornia"]]),
            "ratio": ratios(seconds["molinv"], seconds["kornia"]),
        }
    rows = [(name, *map(interval, row.values())) for name, row in found.items()]
    shape = " x ".join(str(n) for n in x.shape)
    title = f"Sampling and warping {shape}, forward and backward: median (lowest to highest)"
    columns = ("group", "molinv, ms", "kornia's warp alone, ms", "ratio")
    console, by = Console(), machine(where)
    console.print(table(columns, rows, title))
    console.print(", ".join(f"{k} {v}" for k, v in by.items()), highlight=False)
    settings = {"shape": list(x.shape), "rounds": rounds, "quick": quick}
    write(Path(out) / "warp.json", {"machine": by, "settings": settings, "groups": found})


def _steps(
    group: Group, x: Float[Tensor, "b c h w"], up: Float[Tensor, "b c h w"], warp: Callable
) -> tuple[Callable, Callable]:
    """A forward and backward pass with molinv and with kornia, after checking that they agree."""
    mu, image = UniformBox(group, init=INIT).to(x.device), Image()
    generator = torch.Generator(x.device).manual_seed(0)
    shape, n = (x.shape[2], x.shape[3]), len(x)
    fixed = mu.rsample(n, generator).detach()
    maps = to_pixels(group, fixed, *shape).requires_grad_()
    gap = image.act(group, fixed, x) - warp(x, maps, shape, align_corners=False)
    if not (miss := float(gap.detach().abs().max())) < 1e-3:
        raise RuntimeError(f"molinv and kornia disagree on {group} by {miss:.1e}.")

    def ours(_):
        image.act(group, mu.rsample(n, generator), x).backward(up)

    def theirs(_):
        warp(x, maps, shape, align_corners=False).backward(up)

    return ours, theirs


def to_pixels(group: Group, g: Float[Tensor, "b d d"], h: int, w: int) -> Float[Tensor, "b 2 3"]:
    """The maps `g` in pixel indices (column, row), in kornia's convention."""
    half = min(h, w) / 2
    into = torch.tensor([[half, 0, (w - 1) / 2], [0, -half, (h - 1) / 2], [0, 0, 1]]).to(g)
    whole = torch.eye(3).to(g).repeat(len(g), 1, 1)
    whole[:, : group.d, : group.d] = g
    return (into @ whole @ into.inverse())[:, :2].clone()


def _groups(text: str) -> list[Group]:
    chosen = [groups.find(name) for name in listed(text, "group")]
    for group in chosen:
        Image().check(group)
        if group.k == 0:
            raise InputError(f"groups: {group} has no extents to learn; choose another group.")
    return chosen


def _kornia() -> Callable:
    try:
        from kornia.geometry.transform import warp_affine
    except ImportError as error:
        raise InputError("bench warp needs kornia: pip install 'molinv[bench]'.") from error
    return warp_affine
