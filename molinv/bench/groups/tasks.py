"""The rows of `groups`: potentials with a known group of rotations, in a random frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from ...groups import SO3, PointGroup
from ...groups.naming import ALL, CIRCLE, CIRCLE_AND_FLIPS
from ...groups.wigner import harmonics, wigner_d

POINTS = 3
INNER, OUTER = 0.8, 1.2  # distances of the points from the centre
# finite groups whose invariant functions of the degrees below are those of a continuous group
CONTINUOUS = {CIRCLE: "C30", CIRCLE_AND_FLIPS: "D30", ALL: "C1"}
FEW = 50
NOT_ENOUGH = "not enough data"


@dataclass(frozen=True)
class Row:
    """A group of rotations, and the degrees of a potential that has this group only.

    examples    number of examples in place of the benchmark's, too few to learn from
    """

    name: str
    symbol: str
    degrees: tuple[int, ...]
    examples: int | None = None

    @property
    def answer(self) -> str:
        """What is to be found: the symbol, or that there is not enough data."""
        return self.symbol if self.examples is None else NOT_ENOUGH

    def elements(self, frame: Float[Tensor, "3 3"]) -> Float[Tensor, "m 3 3"]:
        """The group's elements in a frame; those of a large finite group for a continuous one."""
        group = PointGroup(CONTINUOUS.get(self.symbol, self.symbol)).double()
        return frame @ group.elements @ frame.mT


# functions of these degrees that are invariant under the group are invariant under no larger one
ROWS = {
    row.name: row
    for row in (
        Row("C1", "C1", (1, 2, 3)),  # without 3, some are nearly symmetric about an axis
        Row("C2", "C2", (1, 2)),
        Row("C3", "C3", (1, 3)),
        Row("C4", "C4", (1, 4)),
        Row("C6", "C6", (1, 6)),
        Row("D2", "D2", (2,)),
        Row("D3", "D3", (2, 3)),
        Row("D4", "D4", (2, 4)),
        Row("D6", "D6", (2, 6)),
        Row("T", "T", (3,)),
        Row("O", "O", (4,)),
        Row("I", "I", (6,)),
        Row("Cinf", CIRCLE, (1, 2)),
        Row("Dinf", CIRCLE_AND_FLIPS, (2,)),
        Row("SO3", ALL, (0,)),
        Row("few", "I", (6,), FEW),
    )
}
FIRST = ("C1", "C4", "D3", "T", "O", "I", "few")


class Data(NamedTuple):
    """Examples x (n, POINTS, 3) and y (n,), and the frame of the group.

    The elements of the group are frame @ g @ frame.mT, with g in the group about z.
    """

    x: Float[Tensor, "n p 3"]
    y: Float[Tensor, " n"]
    frame: Float[Tensor, "3 3"]


def make(row: Row, seed: int, examples: int, noise: float) -> Data:
    """Random points around the origin, with their energy in a potential V around it.

    y is sum_i V(x_i) + noise. V is a sum of solid harmonics r^l Y_l(x / r), one for each of the
    row's degrees, as in the expansion of a crystal field. Their coefficients are random and
    averaged over the group, in a random frame. For degree 0 the term is r^2. The terms have equal
    variances, and y has standard deviation 1 before normal noise of standard deviation `noise` is
    added.
    """
    generator = torch.Generator().manual_seed(seed)
    n = row.examples or examples
    frame = SO3().double().haar(1, generator).double()[0]
    x = torch.randn(n, POINTS, 3, generator=generator, dtype=torch.float64)
    r = INNER + (OUTER - INNER) * torch.rand(n, POINTS, 1, generator=generator).double()
    x = x / x.norm(dim=-1, keepdim=True)
    matrices = wigner_d(row.elements(frame), max(row.degrees))
    y = torch.zeros(n, dtype=torch.float64)
    for l in row.degrees:
        if l == 0:
            term = r.square().sum((1, 2))
        else:
            some = torch.randn(2 * l + 1, generator=generator, dtype=torch.float64)
            values = harmonics(x.flatten(0, 1), l) @ (matrices[l].mean(0) @ some)
            term = (r[..., 0] ** l * values.view(n, POINTS)).sum(1)
        y += term / term.std()
    y = (y - y.mean()) / y.std()
    y += noise * torch.randn(n, generator=generator).double()
    return Data((r * x).float(), y.float(), frame)
