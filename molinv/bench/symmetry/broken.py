"""Models with one symmetry broken on purpose: ASE's EMT, and a pair potential in torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT
from jaxtyping import Float, Int64
from torch import Tensor, nn

STRENGTH = 0.3  # eV, or eV/angstrom


class Broken(Calculator):
    """EMT with a term that lacks one symmetry: `what` is a key of `TERMS`, or "gradient".

    The forces include the term's. With "gradient" the energy has no further term, and the forces
    one that rotates with the atoms, but is not the gradient of any energy.
    """

    implemented_properties = ["energy", "forces"]  # noqa: RUF012

    def __init__(self, what: str):
        super().__init__()
        self.what = what

    def calculate(
        self, atoms: Any = None, properties: Any = ("energy",), system_changes: Any = all_changes
    ) -> None:
        """Energy and forces."""
        inner = atoms.copy()
        inner.calc = EMT()
        pos = torch.tensor(atoms.positions, requires_grad=True)
        away = pos - pos.mean(0)
        if self.what == "gradient":
            energy = pos.sum() * 0
            added = STRENGTH * _curl(away.detach())
        else:
            energy = STRENGTH * TERMS[self.what](pos, away)
            added = -torch.autograd.grad(energy, pos)[0]
        self.results = {
            "energy": inner.get_potential_energy() + energy.item(),
            "forces": inner.get_forces() + added.numpy(),
        }


def _moments(away: Float[Tensor, "n 3"]) -> Float[Tensor, "3 3"]:
    """Three vectors that rotate with the atoms, about as long as 1."""
    size = (away.square().sum(1, keepdim=True) + 1e-6).sqrt()
    moments = torch.stack([(size**k * away).mean(0) for k in (1, 2, 3)])
    return moments / (moments.norm(dim=1, keepdim=True) + 1e-3)


def _curl(away: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
    one, _, other = _moments(away)
    return (away @ one)[:, None] * torch.linalg.cross(one, torch.linalg.cross(one, other))


def _handed(pos: Float[Tensor, "n 3"], away: Float[Tensor, "n 3"]) -> Tensor:
    return (1e5 * torch.linalg.det(_moments(away))).tanh()  # the three are nearly parallel


# pos (n, 3) and the vectors from the centroid -> the term. Only the named symmetry is missing
TERMS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "rotation": lambda pos, away: away[:, 2].tanh().square().sum(),  # mirrors keep it
    "reflection": _handed,
    "translation": lambda pos, away: (pos.mean(0) / 10).tanh().sum(),
    "permutation": lambda pos, away: (pos[1] - pos[0]).norm(),
}


class Pairs(nn.Module):
    """Energy per atom (eV) of a sum over pairs, in the precision of the coordinates.

    With `lossy`, it has a factor that float32 rounds: 1 in float64, and 0.9 in float32.
    """

    def __init__(self, lossy: bool = False):
        super().__init__()
        self.lossy = lossy

    def forward(self, pos: Float[Tensor, "b n 3"], z: Int64[Tensor, "b n"]) -> Float[Tensor, "b 1"]:
        inside = z > 0
        pairs = (inside[:, :, None] & inside[:, None]).triu(1)
        charge = z.sqrt()[:, :, None] * z.sqrt()[:, None]
        distance = (pos[:, :, None] - pos[:, None]).square().sum(-1).add(1e-12).sqrt()
        energy = (charge * (-distance).exp() * pairs).sum((1, 2)) / inside.sum(1)
        if self.lossy:
            energy = energy * (0.9 + 0.1 * (pos.new_tensor(2.0**24 + 1) - 2.0**24))
        return energy[:, None]
