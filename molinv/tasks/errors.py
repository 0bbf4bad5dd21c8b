"""Errors where some molecules lack a value of some target, and of values that turn."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..datasets.kinds import SHAPES

TINY = 1e-12  # keeps the gradient of a length finite where it is 0, of standardised values


def lengths(difference: Float[Tensor, "*b e"], kind: str, safe: bool = False) -> Tensor:
    """|difference| of numbers, else the length of the vector or tensor: no rotation changes it.

    `safe` makes its gradient finite at 0, where the length is then 1e-6.
    """
    axes = len(SHAPES[kind])
    if not axes:
        return difference.abs()
    squares = difference.square().flatten(-axes).sum(-1)
    return (squares + TINY).sqrt() if safe else squares.sqrt()


def known(target: Float[Tensor, "*b e"], kind: str) -> Bool[Tensor, "*b"]:
    """Where there is a value: a vector or tensor counts as a whole."""
    axes = len(SHAPES[kind])
    missing = target.isnan()
    return ~(missing.flatten(-axes).any(-1) if axes else missing)


class Errors(NamedTuple):
    """Errors of molecules (b, t), by target.

    value  predicted minus true, of vectors and tensors the length of that, of values by atom the
           largest over the molecule's atoms; NaN where there is no true value
    total, count   sums of the absolute errors over all that there is, and how many these are
    entries        as `total`, summed over components as well; the same for numbers
    """

    value: Tensor
    total: Tensor
    count: Tensor
    entries: Tensor


def errors_of(difference: Float[Tensor, "b t *e"], kind: str) -> Errors:
    """The errors of molecules whose predicted minus true values these are, NaN where unknown."""
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
    """Sums over molecules, and over atoms, of (b, t) or (b, t, n)."""
    return values.sum(0) if values.ndim == 2 else values.sum((0, 2))


def __getattr__(name: str) -> Any:
    """`Mean`, of a file of its own: loading torchmetrics takes a second, which predicting saves."""
    if name == "Mean":
        from .mean import Mean

        return Mean
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
