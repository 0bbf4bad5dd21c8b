"""The base class of groups: generators, an exponential, and optional closed forms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ..errors import InputError
from ..reading import printed
from .exponential import matrix_exp, matrix_log

Elements = Float[Tensor, "*b d d"]
Coefficients = Float[Tensor, "*b k"]
Rule = tuple[Float[Tensor, "n d d"], Float[Tensor, " n"]]

# tolerance, relative to the largest entry, within which a matrix counts as an element
SAME = {torch.float32: 1e-4, torch.float64: 1e-9}


class Group(nn.Module):
    """A matrix Lie group, given by its generators.

    Elements are (..., d, d) matrices that act on columns; coefficients are (..., k). A subclass
    passes its generators to this constructor and overrides the methods for which it has a closed
    form. A group is a torch module, so that its generators move to the model's device and may
    be parameters.

    generators  (k, d, d)
    names       what each generator does, e.g. ("wx", "wy", "wz")
    units       the unit of each coefficient: "rad", "angstrom" or "log-scale"
    caps        the largest useful half-width of each coefficient, in that unit
    compact     whether a Haar probability measure exists
    homogeneous whether elements carry an offset in their last column, d = dim + 1
    orthogonal  class attribute: whether linear blocks are orthogonal, so that `inverse`
                transposes them

    Raises InputError for shapes that do not agree and for names that are not distinct.
    """

    # arguments of the instances that the law tests run on
    EXAMPLES: ClassVar[Sequence[tuple]] = ((),)
    # exp maps the ball of coefficients of this radius onto the group once. HaarBall needs it.
    # None if unknown, or if the Haar density does not depend on the length of xi alone.
    radius: float | None = None
    orthogonal: bool = False

    generators: Tensor

    def __new__(cls, *args: Any, **kwargs: Any):
        group = super().__new__(cls)
        group.__dict__["_given"] = (args, kwargs)  # for __repr__
        return group

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
        name = type(self).__name__
        if generators.ndim != 3 or generators.shape[1] != generators.shape[2]:
            raise InputError(
                f"{name}: expected generators (k, d, d), got {tuple(generators.shape)}."
            )
        if not len(generators) == len(names) == len(units) == len(caps):
            raise InputError(
                f"{name}: expected one name, unit and cap for each of the {len(generators)} "
                f"generators, got {len(names)}, {len(units)}, {len(caps)}."
            )
        if len(set(names)) < len(names):
            raise InputError(f"{name}: expected names that are all different, got {list(names)}.")
        self.k, self.d = generators.shape[:2]
        self._exact: dict[str, Tensor] = {}
        if isinstance(generators, nn.Parameter):
            self.generators = generators
        elif not isinstance(getattr(type(self), "generators", None), property):
            self._constant("generators", generators)
        self.names, self.units, self.caps = tuple(names), tuple(units), tuple(caps)
        self.compact, self.homogeneous = compact, homogeneous

    def _constant(self, name: str, value: Tensor) -> None:
        """Register a buffer that is rounded from float64 whenever the module's dtype changes."""
        self._exact[name] = value.detach().double()
        self.register_buffer(name, value, persistent=False)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True):
        super()._apply(fn, recurse)
        for name, exact in self._exact.items():
            self._buffers[name] = exact.to(self._buffers[name])
        return self

    @property
    def dim(self) -> int:
        """The dimension of the space that the group acts on."""
        return self.d - self.homogeneous

    @property
    def elements(self) -> Float[Tensor, "m d d"] | None:
        """One element of each connected component, identity first; None if there is only one."""
        return None

    def algebra(self, xi: Coefficients) -> Elements:
        """The matrix sum_i xi_i G_i; raises InputError unless xi is (..., k)."""
        if xi.ndim == 0 or xi.shape[-1] != self.k:
            raise InputError(
                f"{self}: expected coefficients (..., {self.k}), got {tuple(xi.shape)}."
            )
        basis = self.generators.to(xi.dtype).flatten(1)
        return (xi @ basis).unflatten(-1, (self.d, self.d))

    def vee(self, a: Elements) -> Coefficients:
        """Coefficients of the Lie algebra's matrix nearest to `a`: the inverse of `algebra`."""
        return a.flatten(-2) @ torch.linalg.pinv(self.generators.to(a.dtype).flatten(1))

    def bracket(self, a: Coefficients, b: Coefficients) -> Coefficients:
        """Coefficients of the commutator [A, B] = A B - B A, with A and B given by coefficients."""
        left, right = self.algebra(a), self.algebra(b)
        return self.vee(left @ right - right @ left)

    def adjoint(self, g: Elements) -> Float[Tensor, "*b k k"]:
        """The matrix of Ad_g on coefficients: g exp(xi) g^-1 = exp(Ad_g xi)."""
        g, back = g[..., None, :, :], self.inverse(g)[..., None, :, :]
        return self.vee(g @ self.generators.to(g.dtype) @ back).mT

    def exp(self, xi: Coefficients) -> Elements:
        """The element exp(sum_i xi_i G_i)."""
        # float64, because torch's float32 series is off by 2e-5: too much for the group laws
        return matrix_exp(self.algebra(xi).double()).to(xi.dtype)

    def log(self, g: Elements) -> Coefficients:
        """Coefficients of g on the principal branch: g = exp(log g) component(g).

        The default is the principal matrix logarithm, which is NaN or wrong if g has an
        eigenvalue at or below 0. Raises InputError if no logarithm is known.
        """
        return self.vee(matrix_log(g.double())).to(g.dtype)

    def component(self, g: Elements) -> Elements:
        """The element of `elements` in g's connected component; the identity without `elements`."""
        return self.identity(*g.shape[:-2]).to(g)

    def normalize(self, g: Elements) -> Elements:
        """The element of the group near g: removes rounding errors of many products."""
        return self.exp(self.log(g)) @ self.component(g)

    def contains(self, g: Elements, tolerance: float | None = None) -> Bool[Tensor, "*b"]:
        """Whether each matrix is an element of the group.

        A matrix is an element if it differs from `normalize(g)` by at most `tolerance` times its
        largest entry (default: 1e-4 in float32, 1e-9 in float64). A nearby product is tested as
        well, because g itself may have no principal logarithm. Raises InputError unless g is
        (..., d, d), and if no logarithm is known.
        """
        if g.shape[-2:] != (self.d, self.d):
            raise InputError(
                f"{self}: expected matrices (..., {self.d}, {self.d}), got {tuple(g.shape)}."
            )
        g = g if g.is_floating_point() else g.to(self.generators)
        limit = SAME.get(g.dtype, 1e-2) if tolerance is None else tolerance
        moved = self.exp(torch.full((self.k,), 0.1).to(g)) @ g
        miss = torch.stack([(self.normalize(h) - h).abs().amax((-1, -2)) for h in (g, moved)])
        scale = g.abs().amax((-1, -2)).clamp_min(1)
        return (miss <= limit * scale).any(0)  # NaN is not an element

    def inverse(self, g: Elements) -> Elements:
        """The inverse of g, by transposing if the group is orthogonal."""
        if not self.orthogonal:
            return torch.linalg.inv(g)
        if not self.homogeneous:
            return g.mT
        back = g[..., :-1, :-1].mT
        return assemble(back, -(back @ g[..., :-1, -1:]))

    def linear(self, g: Elements) -> Float[Tensor, "*b n n"]:
        """The linear block of g, without its offset: this is what acts on vectors."""
        return g[..., : self.dim, : self.dim]

    def identity(self, *batch: int) -> Elements:
        """The identity, repeated over the batch shape."""
        eye = torch.eye(self.d, dtype=self.generators.dtype, device=self.generators.device)
        return eye.expand(*batch, self.d, self.d)

    def haar(self, n: int, generator: torch.Generator | None = None) -> Float[Tensor, "n d d"]:
        """Draw n elements from the Haar measure; raises InputError if the group has none."""
        raise InputError(
            f"{self} has no uniform distribution that can be drawn from: Haar needs a compact "
            "group such as SO2, SO3 or O3."
        )

    def rule(self, degree: int) -> Rule:
        """A quadrature rule: elements (n, d, d) and weights (n,), in float64.

        The weighted mean is the exact Haar average of polynomials of up to `degree` in the
        entries of g. On SO3 these are the Wigner-D functions up to that degree. Raises
        InputError if no rule is known.
        """
        raise InputError(
            f"no quadrature is known on {self}: exact averages exist for SO2, SO3, O3, finite "
            "groups and their compositions; your own compact group can override rule."
        )

    def basis(self, g: Float[Tensor, "n d d"], degree: int) -> tuple[Tensor, Tensor]:
        """Values at n elements of functions on the group that are orthonormal under Haar.

        Returns the values (n, f) and the degree of each function (f,), from 0 to `degree`.
        Raises InputError if no such functions are known.
        """
        raise InputError(f"{self}: no orthonormal functions are known; SO2 and SO3 have them.")

    def preimages(self, xi: Coefficients, reach: float) -> Float[Tensor, "m *b k"]:
        """All coefficients of the same element of length up to `reach`, and maybe longer ones."""
        return xi[None]

    def haar_density(self, xi: Coefficients) -> Float[Tensor, "*b"]:
        """The Haar density per unit of each coefficient; raises InputError if unknown."""
        raise InputError(
            f"{self}: no Haar density is known; your own compact group can override "
            "haar, haar_density and preimages."
        )

    def same(self, other: Group) -> bool:
        """Whether two groups have the same elements, coordinates and units."""
        facts = [(g.d, g.names, g.units, g.compact, g.homogeneous) for g in (self, other)]
        if facts[0] != facts[1]:
            return False
        pairs = [
            (g.generators, g.generators[:0] if g.elements is None else g.elements)
            for g in (self, other)
        ]
        ours, theirs = (torch.cat([p.detach().double().cpu() for p in pair]) for pair in pairs)
        return ours.shape == theirs.shape and bool((ours - theirs).abs().lt(1e-6).all())

    @classmethod
    def examples(cls) -> Sequence[Group]:
        """Instances that the law tests run on."""
        return [cls(*arguments) for arguments in cls.EXAMPLES]  # pyright: ignore

    def __repr__(self) -> str:
        return printed(type(self).__name__, *self.__dict__["_given"])

    __str__ = __repr__


def drawn_on(group: Group, generator: torch.Generator | None) -> dict[str, Any]:
    """Keyword arguments of torch.rand: the generator, and its device (else the group's)."""
    device = group.generators.device if generator is None else generator.device
    return {"generator": generator, "device": device}


def assemble(linear: Tensor, offset: Tensor) -> Tensor:
    """[[L, t], [0, 1]] from linear blocks L (..., n, n) and offsets t (..., n, 1)."""
    top = torch.cat([linear, offset], -1)
    bottom = torch.zeros_like(top[..., :1, :])
    bottom[..., -1] = 1
    return torch.cat([top, bottom], -2)


def exactly(value: Tensor | Sequence) -> tuple[Tensor, torch.dtype]:
    """The value as a tensor with all its digits (lists in float64), and its final dtype."""
    if isinstance(value, Tensor) and value.is_floating_point():
        return value, value.dtype
    return torch.as_tensor(value, dtype=torch.float64), torch.get_default_dtype()


def bracket_residual(generators: Float[Tensor, "k d d"]) -> Float[Tensor, "k k"]:
    """Distance of each bracket [G_i, G_j] from the span of the generators (max norm)."""
    g = generators.detach().double()
    return outside(g[:, None] @ g[None] - g[None] @ g[:, None], g)


def outside(matrices: Elements, generators: Float[Tensor, "k d d"]) -> Float[Tensor, "*b"]:
    """Distance of matrices from the span of the generators (max norm)."""
    basis, flat = generators.flatten(1), matrices.flatten(-2)
    nearest = flat @ torch.linalg.pinv(basis) @ basis
    return (nearest - flat).abs().amax(-1)


def unit_matrix(d: int, *entries: tuple[int, int, float]) -> Float[Tensor, "d d"]:
    """A (d, d) matrix with the given (row, column, value) entries, for writing generators."""
    matrix = torch.zeros(d, d)
    for row, column, value in entries:
        matrix[row, column] = value
    return matrix
