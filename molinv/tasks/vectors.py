"""Vectors, symmetric tensors and irreps, which turn with their molecule."""

from __future__ import annotations

from typing import ClassVar

from .numbers import Numbers


class Vectors(Numbers):
    """Vectors, symmetric tensors and irreps, standardised by the mean square of their lengths.

    An error is the length of the difference of two vectors, tensors or irreps, turned back to
    where the molecule was; a value that lacks a component is missing. Settings as of `Numbers`.
    """

    kinds: ClassVar[tuple[str, ...]] = ("vector", "tensor", "irreps")
