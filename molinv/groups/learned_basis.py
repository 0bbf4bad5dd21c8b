"""A group whose generators are found from data."""

from __future__ import annotations

from collections.abc import Sequence
from math import pi, sqrt

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..errors import InputError
from .base import Group


class LearnedBasis(Group):
    """k learnable generators among all d x d matrices; exp is the matrix exponential.

    They are kept orthogonal, so that two of them never become one, and of Frobenius norm
    sqrt 2: a generator that has become a rotation's has its coefficient in rad. With `compact`
    they are antisymmetric, with `homogeneous` their last row is 0. Where they do not close
    under the bracket, their exponentials are a set of maps rather than a group. The start is
    random, from `generator`.

    Give it more generators than the symmetry has, all d^2 at best: those in use are what
    `span` finds. With no more than needed one of them can stay shut, its direction unfound:
    tried on so(3) in 3 x 3 matrices, 3 generators came to rank 2 from one of four starts, and 9
    to rank 3 from each. A Gaussian finds the span where a box may not: two generators of equal
    width share a direction between them for as long as they are equal, which a covariance does
    not. Raises InputError where there are fewer than k such matrices.
    """

    def __init__(
        self,
        k: int = 9,
        d: int = 3,
        *,
        cap: float = pi,
        compact: bool = False,
        homogeneous: bool = False,
        generator: torch.Generator | None = None,
    ):
        most = d * (d - 1) // 2 if compact else (d - homogeneous) * d
        if not 1 <= k <= most:
            raise InputError(
                f"LearnedBasis: expected from 1 to {most} generators among these {d} x {d} "
                f"matrices, got {k}."
            )
        if compact and homogeneous:
            raise InputError("LearnedBasis: a group with translations is not compact.")
        zero, names = torch.zeros(k, d, d), [f"xi{i}" for i in range(k)]
        units, caps = ["1"] * k, [cap] * k
        super().__init__(zero, names, units, caps, compact=compact, homogeneous=homogeneous)
        self.directions = nn.Parameter(torch.randn(k, d, d, generator=generator))

    @property
    def generators(self) -> Float[Tensor, "k d d"]:  # pyright: ignore
        """Orthogonal matrices of norm sqrt 2 that span what `directions` spans."""
        raw = self.directions - self.directions.mT if self.compact else self.directions
        if self.homogeneous:
            raw = torch.cat([raw[:, :-1], torch.zeros_like(raw[:, -1:])], 1)
        q, r = torch.linalg.qr(raw.flatten(1).mT)
        sign = torch.where(r.diagonal() < 0, -1.0, 1.0)  # the first is along directions[0]
        return sqrt(2) * (q * sign).mT.reshape(raw.shape)

    def span(
        self, extents: Float[Tensor, " k"] | Float[Tensor, "k k"], share: float = 0.01
    ) -> Float[Tensor, "r d d"]:
        """The directions that are in use: see `span`."""
        return span(self.generators, extents, share)

    @classmethod
    def examples(cls) -> Sequence[Group]:
        """One generator, and all there are of 2 x 2 matrices."""
        # of those that are random only one, or all there are, close under the bracket
        seed = torch.Generator().manual_seed(0)
        return [cls(1, 3, generator=seed), cls(4, 2, cap=1.0, generator=seed)]


def span(
    generators: Float[Tensor, "k d d"],
    extents: Float[Tensor, " k"] | Float[Tensor, "k k"],
    share: float = 0.01,
) -> Float[Tensor, "r d d"]:
    """Orthonormal directions in the algebra along which a distribution is spread, widest first.

    Eigenvectors of sum_ij C_ij vec(G_i) vec(G_j)^T whose eigenvalue is above `share` of the
    largest; C is diag(extents^2), or the covariance itself where extents are (k, k). In float64.
    """
    w = torch.as_tensor(extents).detach().double()
    covariance = torch.diag(w**2) if w.ndim == 1 else w
    g = generators.detach().double().flatten(1)
    values, vectors = torch.linalg.eigh(g.mT @ covariance.to(g.device) @ g)
    chosen = (values > share * values[-1]).nonzero()[:, 0].flip(0)
    return vectors[:, chosen].mT.unflatten(1, generators.shape[1:])


def cosines(a: Float[Tensor, "r d d"], b: Float[Tensor, "s d d"]) -> Float[Tensor, " m"]:
    """Cosines of the principal angles between the spans of two sets of matrices, largest first.

    There are min(r, s) of them: the spans are equal if r = s and all are 1 (Bjorck and Golub
    1973).
    """
    bases = [torch.linalg.qr(x.detach().double().flatten(1).mT.cpu())[0] for x in (a, b)]
    return torch.linalg.svdvals(bases[0].mT @ bases[1]).clamp(max=1.0)
