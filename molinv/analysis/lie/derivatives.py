"""Lie derivatives of a function of molecules: the rate of its output along each generator.

    L_X f (x) = df(x)[X x] - X f(x)

L_X f is zero for every x exactly if f is equivariant under the group that X generates. With F(g)
= g^-1 f(g x), sum_i |L_i f|^2 over Haar is sum_l l (l + 1) P_l, P_l the power of F in degree l.
Source: Gruver et al., "The Lie Derivative for Measuring Learned Equivariance" (ICLR 2023,
arXiv 2210.02984).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from ...actions import Points
from ...errors import InputError
from ...groups import SO3, Group
from ..intervals import Estimate, median
from ..orbits import length_squared
from ..settings import Settings
from ..subject import Structures, Subject, of_atoms
from .forward import directional, tangent_of

_FLAT = 1e-13  # of a squared mean: no variance is known below this


@dataclass(frozen=True, eq=False)
class Rates:
    """Squared Lie derivatives and values of a function, molecule by molecule.

    slope   (m, k, t) |L_X f|^2 summed over entries, mean over orientations; unit^2 per rad^2
    count   (m,) values of a quantity in each molecule: 1, or its atoms
    total   (m, t, e) the values as stored, summed over atoms
    square  (m, t) their squared lengths, summed over atoms
    """

    slope: Float[Tensor, "m k t"]
    count: Float[Tensor, " m"]
    total: Float[Tensor, "m t e"]
    square: Float[Tensor, "m t"]

    def relative(self) -> Float[Tensor, "k t"]:
        """E|L_X f|^2 / Var f, Var over molecules as stored; NaN where f is the same for all."""
        variance = self.variance()
        slope = self.slope.sum(0) / self.count.sum()
        return torch.where(variance > 0, slope / variance, torch.nan)

    def steepness(self) -> Estimate:
        """(k, t): the median over molecules of |L_X f|, in the quantity's unit per rad."""
        return median((self.slope / self.count[:, None, None]).sqrt())

    def variance(self) -> Float[Tensor, " t"]:
        """Var f over molecules as stored, 0 where it is rounding."""
        # about the mean: what all values share costs the variance no digits
        mean = self.total.sum(0) / self.count.sum()
        size, count = mean.square().sum(-1), self.count[:, None]
        square = self.square - 2 * (self.total * mean).sum(-1) + count * size
        found = square.sum(0) / self.count.sum()
        return torch.where(found > size * _FLAT, found, 0.0)


def per_square(group: Group) -> list[str]:
    """The generators with the unit of a squared derivative."""
    return [f"{n} (per {u}^2)" for n, u in zip(group.names, group.units, strict=True)]


def group_of(subject: Subject) -> Group:
    """The group of the subject's distribution, or SO3.

    Raises InputError for a group that does not act on space, or has no generators.
    """
    group = SO3() if subject.distribution is None else subject.distribution.group
    if group.dim != 3 or group.k == 0:
        raise InputError(
            f"expected a group with generators that acts on space, such as SO3 or SE3, got {group}:"
            " there is no derivative along it."
        )
    return group


@torch.no_grad()
def derivatives(
    subject: Subject, pos: Float[Tensor, "b n 3"], z: Int64[Tensor, "b n"], group: Group
) -> tuple[Float[Tensor, "b t *e"], Float[Tensor, "k b t *e"]]:
    """f and L_X f along every generator, in the quantities' units per generator's; float64.

    Exact, by forward-mode differentiation. Padding stays in place. Raises InputError for an
    operation without a forward-mode derivative.
    """
    value, found = torch.empty(0), []
    for generator in group.generators.detach():
        value, slope = along(subject, pos, z, group, generator)
        found.append(slope)
    return value, torch.stack(found)


def along(
    subject: Subject, pos: Tensor, z: Tensor, group: Group, generator: Float[Tensor, "d d"]
) -> tuple[Tensor, Tensor]:
    """f and L_X f along one generator (d, d), in float64."""
    points = Points()
    moved = tangent_of(lambda g: points.act(group, g, pos), generator, pos)
    direction = moved * (z > 0)[..., None]
    value, slope = directional(lambda x: subject(x, z).double(), pos, direction, subject.name)
    return value, slope - tangent_of(
        lambda g: subject.output.act(group, g, value), generator, value
    )


@torch.no_grad()
def measure(
    subject: Subject,
    structures: Structures,
    group: Group,
    settings: Settings,
    orientations: int = 0,
    tick: Callable[[int], None] = lambda molecules: None,
    derivative: Callable[[Subject, Tensor, Tensor, Group], tuple[Tensor, Tensor]] = derivatives,
) -> Rates:
    """Lie derivatives of all molecules as stored, or each in so many Haar-random orientations.

    Molecules pass in blocks; only their sums are kept. `derivative` is `derivatives`, or those of
    `differences` for a function that cannot be differentiated.
    """
    e = len(subject.entries(1))
    turns = drawn_rotations(len(structures), orientations, settings.seed)

    def block(index: Tensor, pos: Tensor, z: Tensor) -> tuple[Tensor, ...]:
        value = subject(pos, z).double()
        slope = torch.zeros(len(pos), group.k, len(subject.quantities), dtype=torch.float64)
        for g in turns[:, index]:
            _, found = derivative(subject, pos @ g.to(pos).mT, z, group)
            slope += length_squared(found, e).transpose(0, 1) / len(turns)
            tick(len(pos))
        atoms = of_atoms(z).sum(1).double() if subject.by_atom else torch.ones(len(z)).double()
        total = value.sum(2) if subject.by_atom else value
        return slope, atoms, total.reshape(*value.shape[:2], -1), length_squared(value, e)

    return Rates(*structures.each(block, structures.blocks(settings.batch_size)))


def drawn_rotations(molecules: int, orientations: int, seed: int) -> Float[Tensor, "o m 3 3"]:
    """Haar-random rotations for each molecule; the identity where `orientations` is 0."""
    if orientations == 0:
        return torch.eye(3, dtype=torch.float64).expand(1, molecules, 3, 3)
    generator = torch.Generator().manual_seed(seed)
    drawn = SO3().double().haar(orientations * molecules, generator)
    return drawn.view(orientations, molecules, 3, 3)
