"""Vectors, symmetric tensors and irreps, which rotate with their molecule."""

from __future__ import annotations

from typing import ClassVar

from .numbers import Numbers


class Vectors(Numbers):
    """Vectors, symmetric tensors and irreps, standardised by the mean square of their lengths.

    An error is the length of the difference between prediction and true value, after rotating
    the prediction back to the molecule's original orientation. A value with a missing component
    is missing. Settings are those of `Numbers`.
    """

    kinds: ClassVar[tuple[str, ...]] = ("vector", "tensor", "irreps")
