"""Any function of coordinates as a subject."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from ..errors import InputError
from ..names import external
from .subject import Quantity, Structures, Subject


def of_callable(
    function: Callable[..., Tensor],
    names: Sequence[str] = ("output",),
    units: Sequence[str] = ("",),
    kind: str = "scalar",
    title: str | None = None,
    dtype: torch.dtype = torch.float32,
) -> Subject:
    """A function or torch module from pos (b, n, 3) and z (b, n) to (b, t) or (b, t, *e)."""
    if len(names) != len(units):
        raise InputError(f"expected one unit for each of {', '.join(names)}, got {list(units)}.")
    module = function.eval() if isinstance(function, nn.Module) else None
    name = title or getattr(function, "__name__", type(function).__name__)
    quantities = tuple(Quantity(n, u) for n, u in zip(names, units, strict=True))
    return Subject(name, function, quantities, kind, module, dtype=dtype)


def named(spec: str, structures: Structures, unit: str, kind: str) -> Subject:
    """The function or module that "package.module:Name" names, a class made without arguments.

    It has as many quantities as it returns for the first molecule. Raises InputError where it
    cannot be made or called.
    """
    function = instance(spec)
    if not callable(function):
        raise InputError(f"{spec} is not a function or module: it cannot be called.")
    pos, z = structures.batch([0])
    try:
        with torch.no_grad():
            values = function(pos, z)
    except Exception as error:  # a user's function may raise anything
        text = " ".join(str(error).split())
        raise InputError(
            f"the function failed on pos {tuple(pos.shape)} and z {tuple(z.shape)}: {text}"
        ) from error
    shape = getattr(values, "shape", ())
    count = shape[1] if len(shape) > 1 else 1
    names = ["output"] if count == 1 else [f"output {i + 1}" for i in range(count)]
    return of_callable(cast(Callable[..., Tensor], function), names, [unit] * count, kind)


def instance(spec: str) -> Any:
    """What "package.module:Name" names, a class made without arguments."""
    found = external(spec)
    try:
        return found() if isinstance(found, type) else found
    except Exception as error:  # a constructor may raise anything
        raise InputError(f"cannot make {spec} without arguments: {error}") from error
