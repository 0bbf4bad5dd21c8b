"""Generators of rotations whose directions and lengths are both learned, and their regularisers."""

from __future__ import annotations

from collections.abc import Sequence
from math import pi

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from ....errors import InputError
from ....groups.base import Group
from ....groups.so3 import SO3, rotation_generators

TINY = 1e-6


class FreeRotations(Group):
    """k learned rotation vectors (rad), the generators of LieGAN and of LieAugmenter.

    Unlike those of `LearnedBasis` they need not be orthogonal, and their lengths are free, so the
    coefficients have no unit. The papers learn general matrices; here the generators are
    antisymmetric, because all methods of this benchmark search the rotations.

    k        the number of generators
    length   of the initial vectors, whose directions are random
    start    the vectors (k, 3), if they are known; they are not learned then

    Raises InputError for `start` of another shape.
    """

    orthogonal = True

    def __init__(self, k: int = 3, length: float = 0.1, start: Sequence = ()):
        names = [f"xi{i}" for i in range(k)]
        zero = torch.zeros(k, 3, 3)
        super().__init__(zero, names, ["1"] * k, [1.0] * k, compact=True)
        given = torch.tensor(start) if len(start) else torch.randn(k, 3)
        if given.shape != (k, 3):
            raise InputError(f"FreeRotations: expected start ({k}, 3), got {tuple(given.shape)}.")
        drawn = length * given / given.norm(dim=1, keepdim=True).clamp_min(TINY)
        self.vectors = nn.Parameter(given if len(start) else drawn, requires_grad=not start)

    @property
    def generators(self) -> Float[Tensor, "k 3 3"]:  # pyright: ignore
        """The antisymmetric matrices of the vectors."""
        return (self.vectors @ rotation_generators().to(self.vectors).flatten(1)).view(-1, 3, 3)

    def exp(self, xi: Float[Tensor, "*b k"]) -> Float[Tensor, "*b 3 3"]:
        """Rodrigues' formula."""
        return SO3().to(xi).exp(xi @ self.vectors.to(xi))


# coefficients are uniform in [-1, 1], so that a vector's length is a half-width
BOX = {"distribution": "UniformBox", "distribution_args": {"init": 1.0, "learn": False}}


def free(k: int = 3, length: float = 0.1) -> str:
    """The name of a group of k free generators."""
    return f"{__name__}:FreeRotations(k={k}, length={length})"


def held(vectors: Float[Tensor, "k 3"]) -> str:
    """The name of the group with these vectors."""
    rows = [[round(x, 6) for x in row] for row in vectors.tolist()]
    return f"{__name__}:FreeRotations(k={len(rows)}, start={rows})"


def likeness(
    pos: Float[Tensor, "b n 3"], moved: Float[Tensor, "b n 3"], z: Int64[Tensor, "b n"]
) -> Float[Tensor, ""]:
    """|mean cosine| between atoms' positions before and after motion: 1 if nothing moves.

    Source: Yang et al., ICML 2023 (arXiv 2302.00236), the regulariser of the generator.
    """
    cosine = torch.nn.functional.cosine_similarity(pos, moved, dim=-1)
    return cosine[z > 0].mean().abs()


def overlap(vectors: Float[Tensor, "k 3"]) -> Float[Tensor, ""]:
    """The sum over pairs of generators of |cosine|: 0 if they are orthogonal.

    Source: Yang et al., ICML 2023 (arXiv 2302.00236), the regulariser of several channels.
    """
    unit = vectors / vectors.norm(dim=1, keepdim=True).clamp_min(TINY)
    return (unit @ unit.mT).triu(1).abs().sum()


def half_turn(vectors: Float[Tensor, "k 3"]) -> Float[Tensor, "k 3"]:
    """The vectors, shortened to at most pi: longer ones reach no new rotation about their axis."""
    length = vectors.norm(dim=1, keepdim=True)
    return vectors * (pi / length).clamp(max=1)
