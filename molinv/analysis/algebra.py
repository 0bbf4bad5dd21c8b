"""Report section: a model's continuous symmetries, found without assuming any.

The derivative of f along x -> B x + t is linear in the 12 numbers of (B, t). The (B, t) whose
derivative is 0 on all molecules are the Lie algebra of the model's symmetries, the null space of
the second moment of the derivatives. Source: LieSD (arXiv 2410.09841).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import InputError
from .intervals import short
from .lie.derivatives import drawn_rotations
from .orbits import Orbits
from .section import Section, Series
from .settings import Settings
from .subject import of_atoms
from .wording import direction, listed

MOLECULES = 30  # largest number of molecules; fewer molecules get more orientations
FEWEST = 20  # with fewer molecules, motions seem to change nothing by chance
STEP = 5e-3  # of central differences, which are exact for an invariant function
STILL = 1e-3  # a motion with a rate below this fraction of the largest changes nothing


@dataclass(frozen=True, eq=False)
class Algebra:
    """Affine motions and how fast they change a function, slowest first.

    rates    (12,) root mean square of df along each motion, in the quantity's unit per unit of
             motion: 1 for B, `length` angstrom for t
    motions  (12, 4, 3) orthonormal: rows 0 to 2 are B, row 3 t in units of `length`
    """

    rates: Float[Tensor, " 12"]
    motions: Float[Tensor, "12 4 3"]
    length: float

    @property
    def null(self) -> Float[Tensor, "k 12"]:
        """The motions that change nothing."""
        still = self.rates < STILL * self.rates[-1]
        return self.motions[still].flatten(1)

    def within(self, space: Float[Tensor, "d 12"]) -> Float[Tensor, "k 12"]:
        """An orthonormal basis of the intersection of the null space with a space (rows)."""
        null = self.null
        if not len(null):
            return null
        u, s, _ = torch.linalg.svd(null @ space.T)
        return u[:, : int((s > 0.99).sum())].T @ null


def section(orbits: Orbits, settings: Settings) -> Section:
    """Rates along all affine motions, and the name of the algebra of those that change nothing.

    On molecules as stored, if there are 20 or more, and in random orientations. Raises InputError
    for vectors, tensors and values of atoms.
    """
    subject = orbits.subject
    if subject.kind != "scalar":
        raise InputError("symmetries are found for scalars of molecules only.")
    made = Section("algebra", "Which symmetries it has, found and not assumed")
    m = min(len(orbits.structures), MOLECULES)
    views = {"as stored": 0} if m >= FEWEST else {}
    views["in random orientations"] = -(-MOLECULES // m)
    found = {view: derivatives(orbits, number, settings) for view, number in views.items()}
    for q, quantity in enumerate(subject.quantities):
        algebras = {view: of_derivatives(d[:, q], length) for view, (d, length) in found.items()}
        names = [str(k) for k in range(1, 13)]
        made.chart(
            "algebra",
            "How fast the prediction changes along affine motions",
            "motion, slowest first",
            quantity.axis(f"{quantity.name}, root mean square rate"),
            [Series(v, names, a.rates.tolist(), style="points") for v, a in algebras.items()],
            caption=f"A motion with a rate below {STILL:g} of the largest changes nothing. Rates "
            "are per rad for rotations, per unit of strain for shears and stretches, and per "
            f"{short(algebras['in random orientations'].length)} angstrom for translations.",
            log_y=True,
            quantity=quantity.name,
        )
        told = {view: describe(algebra) for view, algebra in algebras.items()}
        if len(set(told.values())) == 1:
            made.findings.append(f"{quantity.name} has {next(iter(told.values()))}.")
        else:
            made.findings += [f"{quantity.name} {v} has {words}." for v, words in told.items()]
        made.numbers[quantity.name] = {
            view: {
                "rates": algebra.rates.tolist(),
                "dimension": len(algebra.null),
                "named": told[view],
                "basis": algebra.null.view(-1, 4, 3).tolist(),
                "length": algebra.length,
            }
            for view, algebra in algebras.items()
        }
    return made


@torch.no_grad()
def derivatives(
    orbits: Orbits, orientations: int, settings: Settings
) -> tuple[Float[Tensor, "r t 12"], float]:
    """df along the 12 motions in each orientation (0: as stored), and the unit length of t.

    Central differences; the rows of one orientation follow those of the one before.
    """
    subject, structures = orbits.subject, orbits.structures
    m = min(len(structures), MOLECULES)
    turns = drawn_rotations(m, orientations, settings.seed)
    pos, z = structures.batch([*range(m)] * len(turns))
    pos, inside = pos.double(), of_atoms(z)[..., None]
    length = float((pos.square() * inside).sum() / inside.sum()) ** 0.5
    pos = pos @ turns.flatten(0, 1).mT
    tick, rows = settings.progress("affine motions", 12), []
    for k in range(12):
        motion = torch.zeros(12, dtype=torch.float64)
        motion[k] = 1.0
        b, t = motion[:9].view(3, 3), motion[9:] * length
        moved = pos @ b.T + t * inside  # cell vectors do not shift
        up, down = (subject(pos + s * STEP * moved * (z > 0)[..., None], z) for s in (1, -1))
        rows.append((up.double() - down.double()) / (2 * STEP))
        tick(1)
    return torch.stack(rows, -1), length


def of_derivatives(rows: Float[Tensor, "r 12"], length: float) -> Algebra:
    """The algebra from the second moment of the derivatives."""
    _, values, motions = torch.linalg.svd(rows, full_matrices=True)
    rates = torch.zeros(12, dtype=torch.float64)
    rates[: len(values)] = values / len(rows) ** 0.5
    return Algebra(rates.flip(0), motions.flip(0).view(12, 4, 3), length)


def describe(algebra: Algebra) -> str:
    """The algebra in words: rotations, translations and the rest."""
    turns, shifts = torch.zeros(3, 4, 3).double(), torch.zeros(3, 4, 3).double()
    for k in range(3):
        i, j = (k + 1) % 3, (k + 2) % 3
        turns[k, j, i], turns[k, i, j] = 0.5**0.5, -(0.5**0.5)
        shifts[k, 3, k] = 1.0
    turns, shifts = turns.flatten(1), shifts.flatten(1)
    moves = algebra.within(torch.cat([turns, shifts]))
    free = algebra.within(shifts)
    axes = torch.linalg.svd(moves @ turns.T)[1:] if len(moves) else (torch.zeros(0), torch.eye(3))
    count = int((axes[0] > 0.1).sum())
    parts = []
    if count == 3:
        parts.append("all rotations, so(3)")
    elif count:
        parts += [f"rotations about {_direction(axis)}, so(2)" for axis in axes[1][:count]]
    if len(free) == 3:
        parts.append("all translations")
    elif count < 3:  # rotations turn a translation into all others, so one alone is chance
        parts += [f"translations along {_direction(s)}" for s in free @ shifts.T]
    if more := len(algebra.null) - len(moves):
        parts.append(f"{more} motion{'s' * (more > 1)} other than rotations and translations")
    return listed(parts) if parts else "no continuous affine symmetry"


def _direction(axis: Float[Tensor, " 3"]) -> str:
    k = int(axis.abs().argmax())
    if float(axis[k].abs() / axis.norm()) > 0.999:
        return "xyz"[k]
    return direction(axis / axis.norm() * axis[k].sign())
