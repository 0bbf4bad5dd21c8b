"""Functions of coordinates and torch modules as subjects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import InputError, said
from ..names import external
from .subject import Quantity, Structures, Subject


def of_callable(
    function: Callable[..., Tensor],
    names: Sequence[str] = ("output",),
    units: Sequence[str] = ("",),
    kind: str = "scalar",
    dtype: torch.dtype = torch.float32,
) -> Subject:
    """A function or torch module from pos (b, n, 3) and z (b, n) to (b, t) or (b, t, *e)."""
    if len(names) != len(units):
        raise InputError(f"expected one unit for each of {', '.join(names)}, got {list(units)}.")
    module = function.eval() if isinstance(function, nn.Module) else None
    name = getattr(function, "__name__", type(function).__name__)
    quantities = tuple(Quantity(n, u) for n, u in zip(names, units, strict=True))
    return Subject(name, function, quantities, kind, module, dtype=dtype)


def tried(
    function: Any, structures: Structures, unit: str, kind: str, points: bool = False
) -> Subject:
    """A function or torch module, with one quantity for each output for the first molecule.

    A function of `points` is called without atomic numbers. Outputs (b,) count as (b, 1). Raises
    InputError if the call fails.
    """
    pos, z = structures.batch([0])
    dtype = next((p.dtype for p in getattr(function, "parameters", list)()), torch.float32)

    def call(pos: Tensor, z: Tensor) -> Tensor:
        values = function(pos) if points else function(pos, z)
        return values[:, None] if getattr(values, "ndim", 0) == 1 else values

    try:
        with torch.no_grad():
            values = call(pos.to(dtype), z)
    except Exception as error:  # a user's function may raise anything
        given = f"pos {tuple(pos.shape)}" + f" and z {tuple(z.shape)}" * (not points)
        raise InputError(f"the function failed on {given}: {said(error)}") from error
    count = values.shape[1] if getattr(values, "ndim", 0) > 1 else 1
    names = ["output"] if count == 1 else [f"output {i + 1}" for i in range(count)]
    subject = of_callable(function, names, [unit] * count, kind, dtype=dtype)
    return replace(subject, call=call)


def instance(spec: str) -> Any:
    """The function or module named by "package.module:Name"; a class is made without arguments."""
    found = external(spec)
    try:
        made = found() if isinstance(found, type) else found
    except Exception as error:  # a constructor may raise anything
        raise InputError(f"cannot make {spec} without arguments: {error}") from error
    if not callable(made):
        raise InputError(f"{spec} is not a function or module: it cannot be called.")
    return made
