"""Points, vectors and tensors in Cartesian components, and invariant objects."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import InputError
from ..groups.base import Group
from .base import Action, Each, same_precision


class Points(Action):
    """Coordinates (b, N, n) of N points in each example, padded or not.

    Points move by the linear block and the offset of g, in the group's units. Raises InputError
    for another shape or dimension.
    """

    def act(self, group: Group, g: Each, x: Float[Tensor, "b n dim"]) -> Float[Tensor, "b n dim"]:
        """L x plus the offset of g, where L is the linear block of g."""
        if x.ndim != 3 or x.shape[-1] != group.dim or len(x) != len(g):
            offset = x.shape[-1] == group.d - 1 and not group.homogeneous
            hint = " A group whose last column is an offset needs homogeneous=True." * offset
            raise InputError(
                f"Points({group}): expected pos (b, n, {group.dim}), got {tuple(x.shape)}, "
                f"with b = {len(g)} group elements.{hint}"
            )
        g, x = same_precision(g, x)
        moved = x @ group.linear(g).mT
        return moved + g[:, None, :-1, -1] if group.homogeneous else moved

    def example(self, generator: torch.Generator, group: Group, n: int = 4) -> Tensor:
        """Normal points (n, 5, dim)."""
        return torch.randn(n, 5, group.dim, generator=generator, dtype=torch.float64)


class Invariant(Action):
    """The trivial action, which returns its argument unchanged."""

    def act(self, group: Group, g: Each, x: Any) -> Any:
        """x."""
        return x

    def pull_back(self, group: Group, g: Each, y: Any, context: Any) -> tuple[Any, None]:
        """y."""
        return y, None

    def example(self, generator: torch.Generator, group: Group, n: int = 4) -> Tensor:
        """Normal numbers (n, 2)."""
        return torch.randn(n, 2, generator=generator, dtype=torch.float64)


class Vector(Action):
    """Vectors such as dipoles or forces: (b, n), (b, ..., n), or (nodes, n) for a PyG graph.

    They move by the linear block of g; its offset is ignored. Raises InputError for other shapes.
    """

    def act(self, group: Group, g: Each, x: Float[Tensor, "b *m n"]) -> Float[Tensor, "b *m n"]:
        """L x, where L is the linear block of g."""
        if x.ndim < 2 or x.shape[-1] != group.dim or len(x) != len(g):
            raise InputError(
                f"Vector({group}): expected {len(g)} x (..., {group.dim}), got {tuple(x.shape)}."
            )
        linear, x = same_precision(group.linear(g), x)
        rows = x[:, None] if x.ndim == 2 else x.flatten(1, -2)
        return (rows @ linear.mT).reshape(x.shape)

    def example(self, generator: torch.Generator, group: Group, n: int = 4) -> Tensor:
        """Normal vectors (n, 3, dim)."""
        return torch.randn(n, 3, group.dim, generator=generator, dtype=torch.float64)


class SymmetricTensor(Action):
    """Symmetric tensors (b, n, n) or (b, ..., n, n), such as polarizabilities.

    x becomes L x L^T, where L is the linear block of g; its offset is ignored. Raises InputError
    for other shapes.
    """

    def act(self, group: Group, g: Each, x: Float[Tensor, "b *m n n"]) -> Float[Tensor, "b *m n n"]:
        """L x L^T."""
        if x.ndim < 3 or x.shape[-2:] != (group.dim, group.dim) or len(x) != len(g):
            raise InputError(
                f"SymmetricTensor({group}): expected {len(g)} x (..., {group.dim}, {group.dim}), "
                f"got {tuple(x.shape)}."
            )
        linear, x = same_precision(group.linear(g), x)
        linear = linear.reshape(len(x), *[1] * (x.ndim - 3), group.dim, group.dim)
        return linear @ x @ linear.mT

    def example(self, generator: torch.Generator, group: Group, n: int = 4) -> Tensor:
        """Normal symmetric tensors (n, 2, dim, dim)."""
        x = torch.randn(n, 2, group.dim, group.dim, generator=generator, dtype=torch.float64)
        return x + x.mT
