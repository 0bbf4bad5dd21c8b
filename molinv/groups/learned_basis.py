"""A group whose generators are learned from data."""

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

    Generators are kept orthogonal, so that no two become equal, and have Frobenius norm sqrt 2,
    so that the coefficient of a rotation's generator is in rad. With `compact` they are
    antisymmetric; with `homogeneous` their last row is 0. If they are not closed under the
    bracket, their exponentials are a set of maps but not a group. Initial generators are
    random, drawn from `generator`.

    Use more generators than the symmetry has, up to all d^2, and let `span` find the directions
    in use. With only as many as needed, the width of one can stay at 0 and its direction is not
    found: for so(3) in 3 x 3 matrices, 3 generators reached rank 2 from one of four starts, and
    9 generators reached rank 3 from each. Prefer a Gaussian to a box. In a box, two generators
    of equal width can share one direction as long as their widths are equal; a full covariance
    separates them. Raises InputError if k is below 1 or exceeds the number of independent
    matrices of this kind, and for `compact` with `homogeneous`.
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
        # QR leaves the signs open: the first generator points along directions[0]
        sign = torch.where(r.diagonal() < 0, -1.0, 1.0)
        return sqrt(2) * (q * sign).mT.reshape(raw.shape)

    def span(
        self, extents: Float[Tensor, " k"] | Float[Tensor, "k k"], share: float = 0.01
    ) -> Float[Tensor, "r d d"]:
        """The directions in use (r, d, d): see the function `span`."""
        return span(self.generators, extents, share)

    @classmethod
    def examples(cls) -> Sequence[Group]:
        """One random generator, and a basis of all 2 x 2 matrices."""
        # random generators are closed under the bracket only if they are one, or all
        seed = torch.Generator().manual_seed(0)
        return [cls(1, 3, generator=seed), cls(4, 2, cap=1.0, generator=seed)]


def span(
    generators: Float[Tensor, "k d d"],
    extents: Float[Tensor, " k"] | Float[Tensor, "k k"],
    share: float = 0.01,
) -> Float[Tensor, "r d d"]:
    """Orthonormal directions in the algebra along which a distribution is spread, widest first.

    They are the eigenvectors of sum_ij C_ij vec(G_i) vec(G_j)^T whose eigenvalue is above
    `share` times the largest. C is diag(extents^2) for extents (k,); extents (k, k) are the
    covariance C itself. Returns (r, d, d) in float64.
    """
    w = torch.as_tensor(extents).detach().double()
    covariance = torch.diag(w**2) if w.ndim == 1 else w
    g = generators.detach().double().flatten(1)
    values, vectors = torch.linalg.eigh(g.mT @ covariance.to(g.device) @ g)
    chosen = (values > share * values[-1]).nonzero()[:, 0].flip(0)
    return vectors[:, chosen].mT.unflatten(1, generators.shape[1:])


def cosines(a: Float[Tensor, "r d d"], b: Float[Tensor, "s d d"]) -> Float[Tensor, " m"]:
    """Cosines of the principal angles between the spans of two sets of matrices, largest first.

    Returns min(r, s) numbers. The spans are equal if r = s and all cosines are 1 (Bjorck and
    Golub 1973).
    """
    bases = [torch.linalg.qr(x.detach().double().flatten(1).mT.cpu())[0] for x in (a, b)]
    return torch.linalg.svdvals(bases[0].mT @ bases[1]).clamp(max=1.0)
