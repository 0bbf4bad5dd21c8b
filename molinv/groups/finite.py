"""Groups with finitely many elements, and no generator at all."""

from __future__ import annotations

from math import pi

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import InputError
from .base import Group
from .so2 import SO2


class Finite(Group):
    """A finite group, given by its (m, d, d) elements, the identity first.

    exp of the empty coefficient vector is the identity; Haar is a fair draw of an element.
    """

    def __init__(self, elements: Float[Tensor, "m d d"]):
        d = elements.shape[-1]
        super().__init__(torch.zeros(0, d, d), [], [], [], compact=True)
        self.register_buffer("_elements", elements, persistent=False)

    @property
    def elements(self) -> Float[Tensor, "m d d"]:
        return self._elements  # pyright: ignore[reportReturnType]

    def exp(self, xi: Float[Tensor, "*b 0"]) -> Float[Tensor, "*b d d"]:
        return self.identity(*xi.shape[:-1]).to(xi)

    def log(self, g: Float[Tensor, "*b d d"]) -> Float[Tensor, "*b 0"]:
        return g.new_zeros(*g.shape[:-2], 0)

    def haar(self, n: int, generator: torch.Generator | None = None):
        index = torch.randint(len(self.elements), (n,), **self._draw(generator))
        return self.elements[index.to(self.elements.device)].to(self.generators)

    def haar_density(self, xi):
        """The probability of one element."""
        return torch.full(xi.shape[:-1], 1 / len(self.elements)).to(xi)

    @classmethod
    def examples(cls):
        flips = [[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]
        return [cls(torch.stack([torch.diag(torch.tensor(f, dtype=torch.float)) for f in flips]))]


class Cyclic(Finite):
    """The n rotations of the plane by multiples of 2 pi / n; with dim=3, about the z axis."""

    def __init__(self, n: int = 4, dim: int = 2):
        if n < 1 or dim not in (2, 3):
            raise InputError(f"Cyclic: expected n >= 1 and dim 2 or 3, got n={n}, dim={dim}.")
        angles = torch.arange(n, dtype=torch.float64)[:, None] * (2 * pi / n)
        elements = torch.eye(dim, dtype=torch.float64).repeat(n, 1, 1)
        elements[:, :2, :2] = SO2().exp(angles)
        super().__init__(elements)
        self.order = n

    def extra_repr(self) -> str:
        return f"{self.order}, {self.dim}" if self.dim != 2 else str(self.order)

    @classmethod
    def examples(cls):
        return [cls(1), cls(4), cls(5), cls(6, 3)]


class Reflection(Finite):
    """The identity and one reflection: diag(1, -1) in the plane, -I (inversion) in space."""

    def __init__(self, dim: int = 3):
        if dim not in (2, 3):
            raise InputError(f"Reflection: expected dim 2 or 3, got {dim}.")
        flip = torch.diag(torch.tensor([1.0, -1.0])) if dim == 2 else -torch.eye(3)
        super().__init__(torch.stack([torch.eye(dim), flip]))

    def extra_repr(self) -> str:
        return str(self.dim)

    @classmethod
    def examples(cls):
        return [cls(2), cls(3)]
