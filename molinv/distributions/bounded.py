"""Positive parameters with caps, for the extents of a distribution."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..errors import InputError

Numbers = float | Sequence[float]  # one, or one for each name


class Bounded(nn.Module):
    """Positive numbers below their caps: cap * sigmoid(raw), with initial values `init`.

    `caps` and `init` are one number, or one for each name. Raises InputError unless
    0 < init <= cap < infinity.
    """

    cap: Tensor

    def __init__(self, names: Sequence[str], caps: Numbers, init: Numbers, learn: bool):
        super().__init__()
        cap = each(caps, names, "cap")
        start = each(init, names, "starting extent")
        if not ((start > 0) & (start <= cap) & cap.isfinite()).all():
            raise InputError(
                f"expected a starting extent above 0 and at most a finite cap for "
                f"{', '.join(names)}, got {start.tolist()} with caps {cap.tolist()}."
            )
        self.register_buffer("cap", cap, persistent=False)
        share = (start.double() / cap.double()).clamp(1e-6, 1 - 1e-6)
        self.raw = nn.Parameter(share.logit().to(cap.dtype), requires_grad=learn)

    def forward(self) -> Float[Tensor, " k"]:
        """The numbers, in the unit of their caps."""
        return self.cap * self.raw.sigmoid()


def each(value: Numbers, names: Sequence[str], what: str) -> Tensor:
    """One number for each name, repeated if `value` is a single number.

    Raises InputError, which calls the numbers `what`, for another count of numbers.
    """
    numbers = torch.as_tensor(value, dtype=torch.get_default_dtype())
    if numbers.ndim > 1 or (numbers.ndim == 1 and len(numbers) != len(names)):
        raise InputError(
            f"expected one {what}, or one for each of {', '.join(names)}, got {numbers.tolist()}."
        )
    return numbers.expand(len(names)).clone()
