"""More than rotations: reflection, translation, permutation, forces as a gradient, precision."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import InputError
from ..groups import O3
from .intervals import median
from .orbits import Orbits, length_squared, width
from .section import Section
from .settings import Settings
from .subject import of_atoms

MOLECULES = 30  # the first so many
SHIFTS = (1.0, 40.0, 1000.0)  # angstrom
STEP = 1e-3  # angstrom, of finite differences
DIRECTIONS = 3  # random ones of each structure, in which forces are compared
_O3 = O3()


class Change(NamedTuple):
    """What one operation changes, by molecule and quantity, in the quantities' unit."""

    name: str
    away: Float[Tensor, "m t"]
    why: str = ""  # it could not be measured, in one sentence


def section(orbits: Orbits, settings: Settings) -> Section:
    """What each operation changes, judged as orientation is; forces beside finite differences."""
    from .verdict import judge_change

    subject, structures = orbits.subject, orbits.structures
    m = min(len(structures), MOLECULES)
    made = Section("symmetries", "More than rotations")
    rows, broken, kept = [], [], []
    tick = settings.progress("more symmetries", 3 + len(SHIFTS))
    for change in changes(orbits, m, settings):
        tick(1)
        made.numbers[change.name] = {}
        if change.why:
            made.findings.append(f"{change.name}: not measured ({change.why.rstrip('.')}).")
            continue
        middle = median(change.away)
        for q, quantity in enumerate(subject.quantities):
            answer, limit = judge_change(orbits, q, change.away[:, q], settings.threshold)
            most = float(change.away[:, q].max())
            text = middle.text(q, unit=quantity.unit)
            rows.append([change.name, quantity.name, answer, text, most, limit])
            made.numbers[change.name][quantity.name] = {
                "answer": answer,
                "largest": most,
                **middle[q].numbers(),
            }
            words = f"{change.name} changes {quantity.name} by {text}"
            (kept if answer == "yes" else broken).append(words)
    columns = ["operation", "quantity", "invariant?", "median change", "largest", "limit"]
    made.table(f"What each operation changes ({m} molecules)", columns, rows)
    made.findings[:0] = [
        *(f"{words} (median of {m} molecules)." for words in broken),
        *([f"{len(kept)} of {len(rows)} changes are within rounding."] if kept else []),
    ]
    if subject.potential is not None:
        _gradient(made, orbits, m, settings)
    return made


def changes(orbits: Orbits, m: int, settings: Settings) -> Iterator[Change]:
    """The operations, one after the other, on the first m molecules as stored."""
    subject, structures = orbits.subject, orbits.structures
    draw = torch.Generator().manual_seed(settings.seed)
    atoms, e = width(subject, structures), orbits.entries
    index = list(range(m))
    pos, z = structures.batch(index, atoms)
    inside = of_atoms(z)[..., None]
    with torch.no_grad():
        base = subject(pos, z).double()

    def away(values: Tensor) -> Tensor:
        return length_squared(values.double() - base, e).sqrt()

    with torch.no_grad():
        mirror = torch.diag(torch.tensor([1.0, 1.0, -1.0])).to(pos).expand(m, 3, 3)
        values = subject(pos @ mirror, z).double()
        turned = subject.output.pull_back(_O3, mirror.double(), values, pos @ mirror)[0]
        yield Change("reflection", away(turned))
        for length in SHIFTS:
            shift = torch.randn(m, 1, 3, generator=draw).to(pos)
            shift = length * shift / shift.norm(dim=-1, keepdim=True)
            values = subject(torch.where(inside, pos + shift, pos), z)
            yield Change(f"translation by {length:,.0f} angstrom", away(values))
        if structures.features is None:
            yield Change("permutation", away(_permuted(orbits, index, draw)))
        else:
            why = "features of atoms are in the order of the file"
            yield Change("permutation", base, why)
        yield _precision(orbits, pos, z, base)


def _permuted(orbits: Orbits, index: list[int], draw: torch.Generator) -> Tensor:
    """Outputs of the molecules with their atoms in another order, by atom in the first order."""
    subject, structures = orbits.subject, orbits.structures
    orders = [torch.randperm(len(structures.z[i]), generator=draw) for i in index]
    part = replace(
        structures,
        pos=[structures.pos[i][order] for i, order in zip(index, orders, strict=True)],
        z=[structures.z[i][order] for i, order in zip(index, orders, strict=True)],
        y=None,
        names=(),
        cells=structures.cells[: len(index)],
        periodic=structures.periodic[: len(index)],
    )
    values = subject(*part.batch(range(len(index)), width(subject, structures)))
    if not subject.by_atom:
        return values
    back = values.clone()
    for row, order in enumerate(orders):
        back[row][:, order] = values[row][:, : len(order)]
    return back


def _precision(orbits: Orbits, pos: Tensor, z: Tensor, base: Tensor) -> Change:
    """float32 beside float64, of a torch module."""
    subject, name = orbits.subject, "float32 in place of float64"
    if subject.module is None or subject.dtype not in (torch.float32, torch.float64):
        return Change(name, base, "it is no torch module")
    other = torch.float64 if subject.dtype == torch.float32 else torch.float32
    try:
        subject.module.to(other)
        values = replace(subject, dtype=other)(pos, z).double()
    except (RuntimeError, InputError) as error:  # a buffer or a kernel of one precision alone
        return Change(name, base, " ".join(str(error).split())[:120])
    finally:
        subject.module.to(subject.dtype)
    return Change(name, length_squared(values - base, orbits.entries).sqrt())


def _gradient(made: Section, orbits: Orbits, m: int, settings: Settings) -> None:
    """Forces beside finite differences of the energy, and the asymmetry of their Jacobian."""
    potential = orbits.subject.potential
    assert potential is not None
    draw = torch.Generator().manual_seed(settings.seed)
    rows: list[list[float]] = []
    for i in range(min(m, MOLECULES // 3)):
        pos, z = orbits.structures.batch([i])
        inside = of_atoms(z)[..., None]
        u, v = (
            _unit(torch.randn(DIRECTIONS, *pos.shape[1:], generator=draw).double() * inside)
            for _ in range(2)
        )
        pos, z = pos.double().expand(DIRECTIONS, -1, -1), z.expand(DIRECTIONS, -1)
        (up, ahead), (down, behind) = (potential(pos + s * STEP * u, z) for s in (1, -1))
        (_, left), (_, right) = (potential(pos + s * STEP * v, z) for s in (1, -1))
        slope = -(up - down) / (2 * STEP)
        force = ((ahead + behind) / 2 * u).sum((1, 2))  # to order STEP^2 that at the middle
        one = ((ahead - behind) * v).sum((1, 2)) / (2 * STEP)
        other = ((left - right) * u).sum((1, 2)) / (2 * STEP)
        size = torch.maximum(one.abs(), other.abs()).clamp_min(1e-12)
        rows += torch.stack([(slope - force).abs(), (one - other).abs() / size], 1).tolist()
    found = torch.tensor(rows, dtype=torch.float64)
    middle = median(found)
    made.numbers["forces"] = {
        "from_energy": middle[0].numbers() | {"largest": float(found[:, 0].max())},
        "asymmetry": middle[1].numbers() | {"largest": float(found[:, 1].max())},
    }
    made.findings.append(
        f"Forces differ from finite differences of the energy by "
        f"{middle.text(0, unit='eV/angstrom')} in a random direction of all atoms (median), and "
        f"their Jacobian is asymmetric by {middle.text(1, unit='%', scale=100)}: forces that are a "
        "gradient have a symmetric one."
    )


def _unit(directions: Float[Tensor, "d n 3"]) -> Float[Tensor, "d n 3"]:
    return directions / directions.square().sum((1, 2), keepdim=True).sqrt()
