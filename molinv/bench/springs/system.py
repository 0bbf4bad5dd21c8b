"""Particles joined by springs in free space or in a uniform field, simulated by leapfrog.

The Hamiltonian of particles of masses m_i and charges c_i, with one spring of rest length 1 for
each pair and a field E, is

    H = sum_i |p_i|^2 / 2 m_i + sum_(i<j) k_ij (|q_i - q_j| - 1)^2 / 2 - sum_i c_i E . q_i

Move all particles by q -> R q + t, p -> R p with a rotation R. Kinetic energies and distances do
not change, so without a field H is invariant, and the accelerations are equivariant under all of
SE(3): a(R q + t) = R a(q). The field's term becomes -sum_i c_i (R^T E) . q_i - (sum_i c_i) E . t.
Its last part is constant, so it does not enter the equations of motion. The first part is
unchanged if and only if R E = E. Therefore in a field the accelerations are equivariant under
translations and rotations about E only: otherwise a_i(R q) - R a_i(q) = c_i (E - R E) / m_i.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ...groups import SE3

Positions = Float[Tensor, "*b n 3"]
FREE, FIELD = "free", "field"
SYSTEMS = (FREE, FIELD)
PARTICLES = 3
CAP = 2.0  # rest lengths, the cap of a translation
DT = 0.1  # the time of one step; the slowest vibrations have periods of some 5
FINE = 20  # leapfrog steps of the simulation in one step


@dataclass(frozen=True)
class Springs:
    """Masses (n,), stiffness (n, n), charges (n,) and field (3,), in float64."""

    mass: Float[Tensor, " n"]
    stiffness: Float[Tensor, "n n"]
    charge: Float[Tensor, " n"]
    field: Float[Tensor, " 3"]

    def energy(self, q: Positions, p: Positions) -> Float[Tensor, "*b"]:
        """The Hamiltonian."""
        kinetic = (p.square().sum(-1) / self.mass).sum(-1) / 2
        i, j = torch.triu_indices(len(self.mass), len(self.mass), 1)
        stretch = (q[..., i, :] - q[..., j, :]).norm(dim=-1) - 1
        spring = (self.stiffness[i, j] * stretch.square()).sum(-1) / 2
        return kinetic + spring - ((q @ self.field) * self.charge).sum(-1)

    def acceleration(self, q: Positions) -> Positions:
        """-dH/dq_i / m_i."""
        away = q[..., :, None, :] - q[..., None, :, :]
        length = away.norm(dim=-1)
        length = torch.where(length == 0, 1.0, length)  # a particle and itself
        pull = self.stiffness * (1 - 1 / length)
        force = self.charge[:, None] * self.field - (pull[..., None] * away).sum(-2)
        return force / self.mass[:, None]


def make(name: str, seed: int) -> Springs:
    """A random neutral system; the field of strength 1 is along the axis `seed` modulo 3.

    Neutral systems do not accelerate as a whole.
    """
    generator = torch.Generator().manual_seed(seed)
    mass, charge = (torch.rand(PARTICLES, generator=generator).double() for _ in range(2))
    stiffness = torch.rand(PARTICLES, PARTICLES, generator=generator).double()
    stiffness = (0.5 + stiffness).triu(1)
    charge = charge - charge.mean()
    field = torch.zeros(3, dtype=torch.float64)
    if name == FIELD:
        field[seed % 3] = 1
    return Springs(
        0.5 + mass, stiffness + stiffness.mT, charge / charge.square().mean().sqrt(), field
    )


def truth(system: Springs) -> list[float]:
    """The half-widths of the true group in the order of SE3, with 0 for broken rotations."""
    caps = SE3(cap=CAP).caps
    kept = [True] * 3 + [not system.field.any() or bool(x) for x in system.field]
    return [cap if there else 0.0 for cap, there in zip(caps, kept, strict=True)]


def leapfrog(
    acceleration: Callable[[Positions], Positions],
    q: Positions,
    v: Positions,
    steps: int,
    dt: float = DT,
    fine: int = 1,
) -> tuple[Float[Tensor, "s *b n 3"], Float[Tensor, "s *b n 3"]]:
    """Positions and velocities at the start and after each step of `fine` leapfrog steps.

    Source: velocity Verlet (Swope et al. 1982), of second order and symplectic.
    """
    h = dt / fine
    places, speeds, a = [q], [v], acceleration(q)
    for _ in range(steps):
        for _ in range(fine):
            v = v + h / 2 * a
            q = q + h * v
            a = acceleration(q)
            v = v + h / 2 * a
        places.append(q)
        speeds.append(v)
    return torch.stack(places), torch.stack(speeds)


def trajectories(
    system: Springs, count: int, steps: int, generator: torch.Generator
) -> tuple[Float[Tensor, "s b n 3"], Float[Tensor, "s b n 3"]]:
    """Positions and velocities of `count` trajectories from random states of rest lengths 1."""
    n = len(system.mass)
    q, v = (torch.randn(count, n, 3, generator=generator).double() for _ in range(2))
    return leapfrog(system.acceleration, 0.8 * q, 0.3 * v, steps, fine=FINE)
