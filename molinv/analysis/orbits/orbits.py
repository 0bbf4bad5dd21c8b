"""The sweep over molecules and orientations: statistics of f(g x)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from ... import quadrature
from ...errors import InputError
from ...groups import SO3
from ..subject import Structures, Subject

_KEPT = 16  # orientations whose values are held in memory before they are summed
_SO3 = SO3()
TOLERATED = 0.05  # largest fraction of a variance above the degrees that a rule resolves
# rounding of a result, as fractions of its size and of the differences between molecules
ROUNDING = {torch.float32: (1e-6, 1e-5), torch.float64: (1e-10, 1e-5)}


@dataclass(frozen=True, eq=False)
class Orbits:
    """Statistics of f(g x), rotated back, over Haar, for each molecule and quantity.

    subject, structures   the function and its molecules, in the function's dtype
    mean       (m, t, *e) in the quantity's unit
    variance   (m, t) summed over entries, unit^2
    power      (m, t, L + 1) of each Wigner-D degree, unit^2; l = 0 is |mean|^2
    error      (m, t) mean over g of |f(g x) - y|, the vectors' length; NaN without true values
    square     (m, t) mean over g of |f(g x) - y|^2
    beyond     (m, t) fraction of the variance in other orientations than the rule's that the known
               degrees do not explain; NaN if not measured
    nodes, weights  the orientations
    """

    subject: Subject
    structures: Structures
    mean: Float[Tensor, "m t *e"]
    variance: Float[Tensor, "m t"]
    power: Float[Tensor, "m t l"]
    error: Float[Tensor, "m t"]
    square: Float[Tensor, "m t"]
    beyond: Float[Tensor, "m t"]
    nodes: Float[Tensor, "k 3 3"]
    weights: Float[Tensor, " k"]

    @property
    def degree(self) -> int:
        """The largest degree with a known power."""
        return self.power.shape[-1] - 1

    @property
    def entries(self) -> int:
        """The number of axes of one value: 0 for scalars, 1 for vectors."""
        return self.mean.ndim - 2

    @property
    def std(self) -> Float[Tensor, "m t"]:
        """The standard deviation over orientations, in the quantity's unit."""
        return self.variance.sqrt()

    @property
    def left(self) -> Float[Tensor, " t"]:
        """The median of `beyond` over molecules."""
        return self.beyond.nanmedian(0).values.nan_to_num(0)

    @property
    def resolved(self) -> Bool[Tensor, " t"]:
        """Whether the known degrees explain at least 95 % of the variance over orientations."""
        return self.still | (self.left <= TOLERATED)

    @property
    def still(self) -> Bool[Tensor, " t"]:
        """Whether no orientation changes the quantity beyond rounding."""
        return self.within_rounding(self.std)

    def within_rounding(self, changes: Float[Tensor, "m t"]) -> Bool[Tensor, " t"]:
        """Whether these changes of molecules' values are rounding."""
        precision = self.subject.rounding or self.subject.dtype
        size, scale = ROUNDING.get(precision, ROUNDING[torch.float32])
        length = self.power[..., 0].sqrt().median(0).values
        least = size * length + scale * self.differences.nan_to_num(0)
        ratio = changes / least.clamp_min(1e-300)
        return (ratio.median(0).values <= 1) & (ratio.amax(0) <= 10)

    @property
    def differences(self) -> Float[Tensor, " t"]:
        """How far molecules differ: 1.48 median |f - median f|, which estimates a deviation.

        A linear fit to the numbers of atoms of each element is subtracted from scalars first,
        because it dominates the differences between total energies. For vectors and tensors it is
        the median length. NaN for too few molecules.
        """
        if self.entries:
            return length_squared(self.mean, self.entries).sqrt().median(0).values
        left = of_composition(self.structures, self.mean)
        if left is None:
            return torch.full(self.mean.shape[1:], torch.nan, dtype=self.mean.dtype)
        return 1.4826 * (left - left.median(0).values).abs().median(0).values


def of_composition(
    structures: Structures, values: Float[Tensor, "m t"]
) -> Float[Tensor, "m t"] | None:
    """Residuals of a linear fit to the numbers of atoms; None for too few molecules."""
    found = torch.stack([torch.bincount(z, minlength=120) for z in structures.z]).double()
    x = torch.cat([found[:, found.any(0)], torch.ones(len(found), 1).double()], 1)
    rank = int(torch.linalg.matrix_rank(x))
    if len(values) < 2 * rank + 2:
        return None
    solved = torch.linalg.lstsq(x, values, driver="gelsd").solution
    # undoes the factor by which the fit shrinks independent values
    return (values - x @ solved) * (len(x) / (len(x) - rank)) ** 0.5


@torch.no_grad()
def sweep(
    subject: Subject,
    structures: Structures,
    degree: int = 9,
    batch_size: int = 256,
    tick: Callable[[int], None] = lambda molecules: None,
    outside: tuple[Tensor, Tensor] | None = None,
) -> Orbits:
    """Run the subject on every molecule in every orientation of a quadrature rule.

    The rule averages Wigner-D functions exactly up to `degree`, so it gives powers up to
    degree // 2, and the exact variance if there is no power above. `outside` are orientations
    (r, 3, 3) that are not in the rule and the values (r, m, t, *e) there, from which `beyond` is
    computed. `tick` gets the number of molecules of each call. Raises InputError for a degree
    under 2.
    """
    if degree < 2:
        raise InputError(f"expected a degree of at least 2, got {degree}.")
    rule = quadrature.so3(degree)
    return _over(subject, structures, rule, degree // 2, batch_size, tick, outside)[0]


@torch.no_grad()
def probe(
    subject: Subject,
    structures: Structures,
    turns: Float[Tensor, "r 3 3"],
    batch_size: int = 256,
    tick: Callable[[int], None] = lambda molecules: None,
) -> tuple[Orbits, Float[Tensor, "r m t *e"]]:
    """Orbits over a few random orientations, and the values there, rotated back."""
    r = len(turns)
    rule = turns, torch.full((r,), 1 / r, dtype=torch.float64)
    found, values = _over(subject, structures, rule, 0, batch_size, tick, keep=True)
    return replace(found, variance=found.variance * r / (r - 1)), values.movedim(0, 1)


def _over(
    subject: Subject,
    structures: Structures,
    rule: tuple[Tensor, Tensor],
    degree: int,
    batch_size: int,
    tick: Callable[[int], None],
    outside: tuple[Tensor, Tensor] | None = None,
    keep: bool = False,
) -> tuple[Orbits, Tensor]:
    """Orbits over the nodes (k, 3, 3) and weights (k,) of a rule, with powers up to `degree`.

    Runs blocks of molecules in one orientation at a time, so memory depends on the block only.
    With `keep`, also returns the values (m, k, t, *e).
    """
    structures = replace(structures, pos=[pos.to(subject.dtype) for pos in structures.pos])
    nodes, weights = rule
    columns, l_of = _SO3.basis(nodes, degree)
    there = None if outside is None else _SO3.basis(outside[0], degree)[0]
    e = len(subject.entries(1))

    def block(index: Tensor, pos: Tensor, z: Tensor) -> tuple[Tensor, ...]:
        base = values_at(subject, pos, z, torch.eye(3, dtype=torch.float64))
        b, t = base.shape[:2]
        reference = base if structures.y is None else structures.y[index].double()
        # sums of f - base: no digits are spent on what all orientations share
        coefficients, second = base.new_zeros(len(l_of), base.numel()), base.new_zeros(b, t)
        error, square = base.new_zeros(b, t), base.new_zeros(b, t)
        values = []
        for part in torch.arange(len(nodes)).split(_KEPT):
            rows = []
            for k in part.tolist():
                value = values_at(subject, pos, z, nodes[k])
                rows.append((value - base).flatten())
                away = length_squared(value - reference, e)
                error += weights[k] * away.sqrt()
                square += weights[k] * away
                tick(b)
                if keep:
                    values.append(value)
            held = torch.stack(rows)
            coefficients += (columns[part] * weights[part, None]).mT @ held
            each = length_squared(held.view(-1, *base.shape), e)
            second += (weights[part, None, None] * each).sum(0)
        shift = coefficients[0].view_as(base)
        variance = (second - length_squared(shift, e)).clamp_min(0)
        power = base.new_zeros(b, t, degree + 1)
        each = length_squared(coefficients.view(-1, *base.shape), e)
        power.index_add_(-1, l_of, each.movedim(0, -1))
        power[..., 0] = length_squared(base + shift, e)
        if structures.y is None:
            error, square = error * torch.nan, square * torch.nan
        beyond = base.new_full((b, t), torch.nan)
        if outside is not None and there is not None:
            seen = outside[1][:, index] - base
            away = length_squared(seen - (there @ coefficients).view(-1, *base.shape), e).mean(0)
            beyond = away / length_squared(seen - shift, e).mean(0).clamp_min(1e-300)
        kept = torch.stack(values, 1) if keep else base
        return base + shift, variance, power, error, square, beyond, kept

    blocks = structures.blocks(batch_size, subject.device)
    *fields, kept = structures.each(block, blocks, width(subject, structures))
    return Orbits(subject, structures, *fields, nodes=nodes, weights=weights), kept


def width(subject: Subject, structures: Structures) -> int | None:
    """Rows that every block is padded to, if the function returns values by atom."""
    rows = int(structures.sizes.max()) + 3 * bool(structures.cells)
    return rows if subject.by_atom else None


def values_at(
    subject: Subject, pos: Float[Tensor, "b n 3"], z: Int64[Tensor, "b n"], g: Tensor
) -> Float[Tensor, "b t *e"]:
    """Outputs for molecules rotated by g, (3, 3) or (b, 3, 3), rotated back; float64."""
    turned = pos @ g.to(pos).mT
    values = subject(turned, z).double()
    if subject.kind in ("scalar", "atom scalar"):
        return values
    elements = g.to(values).expand(len(pos), 3, 3)
    return subject.output.pull_back(_SO3, elements, values, turned)[0]


def length_squared(values: Tensor, entries: int) -> Tensor:
    """Squared lengths over the last `entries` axes."""
    square = values.square()
    return square.sum(tuple(range(-entries, 0))) if entries else square
