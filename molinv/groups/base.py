"""What a group is: generators, an exponential, and what is known beyond that."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..errors import InputError


class Group(nn.Module):
    """A matrix Lie group, given by its generators.

    Elements are (..., d, d) matrices that act on columns; coefficients are (..., k). A new
    group passes its generators to this constructor and overrides what it knows in closed form.
    It is a module so that generators follow the model to its device, and may be parameters.

    generators  (k, d, d)
    names       what each generator does, e.g. ("wx", "wy", "wz")
    units       the unit of each coefficient: "rad", "angstrom" or "log-scale"
    caps        the largest useful half-width of each coefficient, in that unit
    compact     whether a Haar probability measure exists
    homogeneous whether elements carry an offset in their last column, d = dim + 1
    """

    generators: Tensor

    def __init__(
        self,
        generators: Float[Tensor, "k d d"],
        names: Sequence[str],
        units: Sequence[str],
        caps: Sequence[float],
        *,
        compact: bool,
        homogeneous: bool = False,
    ):
        super().__init__()
        if generators.ndim != 3 or generators.shape[1] != generators.shape[2]:
            raise InputError(
                f"{type(self).__name__}: expected generators (k, d, d), "
                f"got {tuple(generators.shape)}."
            )
        if not len(generators) == len(names) == len(units) == len(caps):
            raise InputError(
                f"{type(self).__name__}: expected one name, unit and cap for each of the "
                f"{len(generators)} generators, got {len(names)}, {len(units)}, {len(caps)}."
            )
        if isinstance(generators, nn.Parameter):
            self.generators = generators
        else:
            self.register_buffer("generators", generators, persistent=False)
        self.names, self.units, self.caps = tuple(names), tuple(units), tuple(caps)
        self.compact, self.homogeneous = compact, homogeneous

    @property
    def k(self) -> int:
        """The dimension of the algebra."""
        return self.generators.shape[0]

    @property
    def d(self) -> int:
        """The size of the matrices."""
        return self.generators.shape[1]

    @property
    def dim(self) -> int:
        """The dimension of the space that is acted on."""
        return self.d - self.homogeneous

    @property
    def elements(self) -> Float[Tensor, "m d d"] | None:
        """The finite part, the identity first; None where there is none."""
        return None

    def algebra(self, xi: Float[Tensor, "*b k"]) -> Float[Tensor, "*b d d"]:
        """sum_i xi_i G_i; raises InputError where the last axis is not k long."""
        if xi.ndim == 0 or xi.shape[-1] != self.k:
            raise InputError(
                f"{self}: expected coefficients (..., {self.k}), got {tuple(xi.shape)}."
            )
        basis = self.generators.to(xi.dtype).flatten(1)
        return (xi @ basis).unflatten(-1, (self.d, self.d))

    def exp(self, xi: Float[Tensor, "*b k"]) -> Float[Tensor, "*b d d"]:
        """The element exp(sum_i xi_i G_i)."""
        # in float32 torch's series stops at 2e-5: too early for a group law
        return matrix_exp(self.algebra(xi).double()).to(xi.dtype)

    def log(self, g: Float[Tensor, "*b d d"]) -> Float[Tensor, "*b k"]:
        """Coefficients of g, principal branch; raises InputError where no formula is known."""
        raise InputError(f"{self}: no logarithm is known in closed form.")

    def inverse(self, g: Float[Tensor, "*b d d"]) -> Float[Tensor, "*b d d"]:
        """g^-1."""
        return torch.linalg.inv(g)

    def linear(self, g: Float[Tensor, "*b d d"]) -> Float[Tensor, "*b n n"]:
        """The block of g that acts on vectors, which have no origin."""
        return g[..., : self.dim, : self.dim]

    def identity(self, *batch: int) -> Float[Tensor, "*b d d"]:
        """The identity, repeated over the batch shape."""
        eye = torch.eye(self.d, dtype=self.generators.dtype, device=self.generators.device)
        return eye.expand(*batch, self.d, self.d)

    def haar(self, n: int, generator: torch.Generator | None = None) -> Float[Tensor, "n d d"]:
        """n elements drawn from the Haar measure; raises InputError on a group without one."""
        raise InputError(
            f"{self} has no uniform distribution that can be drawn from: Haar needs a compact "
            "group such as SO2, SO3 or O3."
        )

    def _draw(self, generator: torch.Generator | None) -> dict:
        """Where random numbers are drawn: on the generator's device, or the group's."""
        device = self.generators.device if generator is None else generator.device
        return {"generator": generator, "device": device}

    def preimages(self, xi: Float[Tensor, "*b k"]) -> Float[Tensor, "m *b k"]:
        """All coefficients, out to three turns, that exp sends to the same element as xi."""
        return xi[None]

    def haar_density(self, xi: Float[Tensor, "*b k"]) -> Float[Tensor, "*b"]:
        """Density of the Haar probability in exponential coordinates, per unit of each xi.

        Raises InputError where none is known.
        """
        raise InputError(
            f"{self}: no Haar density is known; a compact group of your own overrides "
            "haar, haar_density and preimages."
        )

    @classmethod
    def examples(cls) -> Sequence[Group]:
        """Instances that the law tests run on."""
        return [cls()]  # pyright: ignore[reportCallIssue]

    def __repr__(self) -> str:
        settings = self.extra_repr()
        return f"{type(self).__name__}({settings})" if settings else type(self).__name__

    __str__ = __repr__


def matrix_exp(a: Float[Tensor, "*b d d"]) -> Float[Tensor, "*b d d"]:
    """torch's exponential, of one matrix as exact as of several.

    For a single one torch 2.13 stops its series too early, off by up to 1e-10 in float64.
    """
    if a[..., 0, 0].numel() == 1:
        return torch.linalg.matrix_exp(torch.stack([a, a]))[0]
    return torch.linalg.matrix_exp(a)


def unit_matrix(d: int, *entries: tuple[int, int, float]) -> Float[Tensor, "d d"]:
    """A (d, d) matrix with the given (row, column, value) entries, for writing generators."""
    matrix = torch.zeros(d, d)
    for row, column, value in entries:
        matrix[row, column] = value
    return matrix
