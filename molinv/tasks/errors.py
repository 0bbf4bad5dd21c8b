"""Errors of numbers, vectors and tensors, where values may be missing."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..datasets.kinds import SHAPES

TINY = 1e-12  # keeps the gradient of a standardised value's length finite at 0


def lengths(difference: Float[Tensor, "*b e"], kind: str, safe: bool = False) -> Tensor:
    """|difference| of numbers, and the length of vectors and tensors, which is invariant.

    `safe` makes the gradient finite at 0, where the length is then 1e-6.
    """
    axes = len(SHAPES[kind])
    if not axes:
        return difference.abs()
    squares = difference.square().flatten(-axes).sum(-1)
    return (squares + TINY).sqrt() if safe else squares.sqrt()


def known(target: Float[Tensor, "*b e"], kind: str) -> Bool[Tensor, "*b"]:
    """A mask of known values; a vector or tensor is known if all of its components are."""
    axes = len(SHAPES[kind])
    missing = target.isnan()
    return ~(missing.flatten(-axes).any(-1) if axes else missing)


class Errors(NamedTuple):
    """Errors of each molecule and target, (b, t).

    value          predicted minus true; for vectors and tensors the length of the difference, for
                   atom values the largest error over the molecule's atoms; NaN where unknown
    total, count   sum of absolute errors over known values, and the number of these values
    entries        sum of absolute errors over all components; equals `total` for numbers
    """

    value: Tensor
    total: Tensor
    count: Tensor
    entries: Tensor


def errors_of(difference: Float[Tensor, "b t *e"], kind: str) -> Errors:
    """The errors from predicted minus true values of molecules, NaN where unknown."""
    there, sizes = known(difference, kind), lengths(difference.nan_to_num(), kind)
    axes = len(SHAPES[kind])
    absolute = difference.nan_to_num().abs()
    entries = (absolute.flatten(-axes).sum(-1) if axes else absolute) * there
    if not kind.startswith("atom"):
        value = torch.where(there, sizes, torch.nan) if axes else difference
        return Errors(value, sizes * there, there.long(), entries)
    value = (sizes * there).amax(-1).masked_fill(~there.any(-1), torch.nan)
    return Errors(value, (sizes * there).sum(-1), there.sum(-1), entries.sum(-1))


def per_target(values: Tensor) -> Float[Tensor, " t"]:
    """The sum of (b, t) or (b, t, n) over molecules and atoms, (t,)."""
    return values.sum(0) if values.ndim == 2 else values.sum((0, 2))


def __getattr__(name: str) -> Any:
    """Import `Mean` on demand, because torchmetrics takes a second and prediction needs none."""
    if name == "Mean":
        from .mean import Mean

        return Mean
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
