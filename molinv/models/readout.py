"""The last step of a model: from the sum over a molecule's atoms to the outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from .features import safe_norm
from .pairs import from_centroid

HALF = (torch.bfloat16, torch.float16)
ATOMS = 20.0  # the sum over this many atoms is of order one


def exactly(network: nn.Module, x: Tensor) -> Tensor:
    """network(x) in at least single precision: half precision leaves a total energy 3 digits."""
    with torch.autocast(x.device.type, enabled=False):
        return network(x.float() if x.dtype in HALF else x)


def head(width: int, outputs: int) -> nn.Sequential:
    """A network from the states of atoms (b, n, width) to `outputs` numbers of each."""
    return nn.Sequential(
        nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, outputs)
    )


class Moments(nn.Module):
    """Outputs from the lengths of dipole moments sum_i q_i r_i + v_i; 0 before training.

    The charge q and, with `vectors`, the vector v of each atom are computed from its state; r is
    its position relative to the centroid, in angstrom. Without vectors, the lengths are invariant
    under rotations if the states are. A sum of numbers over atoms hardly represents the length of
    a sum of vectors.
    Source: the dipole moment of Schütt et al. 2021 (PaiNN).
    """

    def __init__(self, width: int, outputs: int, count: int, vectors: bool):
        super().__init__()
        self.numbers = 4 if vectors else 1
        self.atoms = head(width, count * self.numbers)
        self.out = nn.Linear(count, outputs, bias=False)
        nn.init.zeros_(self.out.weight)

    def forward(
        self,
        x: Float[Tensor, "b n d"],
        pos: Float[Tensor, "b n 3"],
        mask: Bool[Tensor, "b n"],
    ) -> Float[Tensor, "b t"]:
        numbers = exactly(self.atoms, x).unflatten(-1, (-1, self.numbers))
        moments = numbers[..., :1] * from_centroid(pos, mask)[:, :, None]
        if self.numbers > 1:
            moments = moments + numbers[..., 1:] * mask[..., None, None]
        return exactly(self.out, safe_norm(moments.sum(1)))


class Readout(nn.Module):
    """Divides the sum over atoms (b, t) by `ATOMS`, by the number of atoms, or by a scale.

    scales  for each output "sum" (divide by `ATOMS`), "mean" (by the number of atoms) or a
            number above 0
    form    (classes, targets), to shape the outputs as (b, c, t); None leaves them (b, t)
    """

    divisors: Tensor

    def __init__(self, scales: Sequence[Any] | None, form: tuple[int, int] | None = None):
        super().__init__()
        named = {"sum": ATOMS, "mean": 0.0}  # 0 stands for the number of atoms
        made = [named.get(s, s) for s in scales or ["sum"]]
        self.register_buffer("divisors", torch.tensor(made), persistent=False)
        self.form = form

    def forward(self, total: Float[Tensor, "b t"], atoms: Float[Tensor, " b"]) -> Tensor:
        by = self.divisors.to(total)
        return self.shaped(total / torch.where(by > 0, by, atoms.to(total)[:, None]))

    def shaped(self, outputs: Float[Tensor, "b t"]) -> Tensor:
        """The outputs, shaped as `form` says."""
        return outputs if self.form is None else outputs.unflatten(1, self.form)
