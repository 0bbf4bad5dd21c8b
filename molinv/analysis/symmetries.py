"""More than rotations: reflection, translation, permutation, forces as a gradient, precision."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import InputError, said
from ..groups import O3
from .intervals import median
from .orbits import Orbits, length_squared, width
from .section import Section
from .settings import Settings
from .subject import of_atoms

MOLECULES = 30  # largest number of molecules
SHIFTS = (1.0, 40.0, 1000.0)  # angstrom
STEP = 1e-3  # angstrom, of finite differences
DIRECTIONS = 3  # random directions for each structure, along which forces are compared
_O3 = O3()


def section(orbits: Orbits, settings: Settings) -> Section:
    """Changes by each operation, judged like those by orientation; forces against the energy."""
    from .verdict import judge_change

    subject = orbits.subject
    m = min(len(orbits.structures), MOLECULES)
    made = Section("symmetries", "More than rotations")
    rows, broken, kept, missed = [], [], [], []
    pos, z = orbits.structures.batch(range(m), width(subject, orbits.structures))
    found = operations(orbits, pos, z, torch.Generator().manual_seed(settings.seed))
    tick = settings.progress("more symmetries", len(found))
    with torch.no_grad():
        base = subject(pos, z).double()
    for name, operation in found.items():
        tick(1)
        made.numbers[name] = {}
        try:
            with torch.no_grad():
                values = operation().double()
        except InputError as error:
            missed.append(f"{name}: not measured ({str(error).rstrip('.')}).")
            continue
        away = length_squared(values - base, orbits.entries).sqrt()
        middle = median(away)
        for q, quantity in enumerate(subject.quantities):
            answer, limit = judge_change(orbits, q, away[:, q], settings.threshold)
            most = float(away[:, q].max())
            text = middle.text(q, unit=quantity.unit)
            rows.append([name, quantity.name, answer, text, most, limit])
            numbers = {"answer": answer, "largest": most, **middle[q].numbers()}
            made.numbers[name][quantity.name] = numbers
            words = f"{name} changes {quantity.name} by {text} (median of {m} molecules)."
            (kept if answer == "yes" else broken).append(words)
    columns = ["operation", "quantity", "invariant?", "median change", "largest", "limit"]
    made.table(f"Change by each operation ({m} molecules)", columns, rows)
    made.findings += broken
    made.findings += [f"{len(kept)} of {len(rows)} changes are rounding."] if kept else []
    made.findings += missed
    if subject.potential is not None:
        _gradient(made, orbits, m, settings)
    return made


def operations(
    orbits: Orbits, pos: Float[Tensor, "m n 3"], z: Tensor, draw: torch.Generator
) -> dict[str, Callable[[], Tensor]]:
    """For each operation, a function that returns outputs for molecules after it, moved back.

    The function raises InputError if the operation does not apply.
    """
    subject, structures = orbits.subject, orbits.structures
    inside = of_atoms(z)[..., None]

    def reflected() -> Tensor:
        mirror = torch.diag(torch.tensor([1.0, 1.0, -1.0])).to(pos).expand(len(pos), 3, 3)
        values = subject(pos @ mirror, z).double()
        return subject.output.pull_back(_O3, mirror.double(), values, pos @ mirror)[0]

    def shifted(length: float) -> Tensor:
        shift = torch.randn(len(pos), 1, 3, generator=draw).to(pos)
        shift = length * shift / shift.norm(dim=-1, keepdim=True)
        return subject(torch.where(inside, pos + shift, pos), z)

    def permuted() -> Tensor:
        if structures.features is not None:
            raise InputError("features of atoms are in the order of the file")
        orders = [torch.randperm(int(n), generator=draw) for n in inside.sum((1, 2))]
        there, numbers = pos.clone(), z.clone()
        for i, order in enumerate(orders):
            there[i, : len(order)], numbers[i, : len(order)] = pos[i, order], z[i, order]
        values = subject(there, numbers)
        if subject.by_atom:
            back = values.clone()
            for i, order in enumerate(orders):
                back[i][:, order] = values[i][:, : len(order)]
            values = back
        return values

    def other_precision() -> Tensor:
        if subject.module is None or subject.dtype not in (torch.float32, torch.float64):
            raise InputError("the model is not a torch module")
        other = torch.float64 if subject.dtype == torch.float32 else torch.float32
        try:
            subject.module.to(other)
            return replace(subject, dtype=other)(pos, z)
        except RuntimeError as error:  # a buffer or a kernel exists in one precision only
            raise InputError(said(error)[:120]) from error
        finally:
            subject.module.to(subject.dtype)

    shifts = {f"translation by {s:,.0f} angstrom": partial(shifted, s) for s in SHIFTS}
    others = {"permutation": permuted, "float32 in place of float64": other_precision}
    return {"reflection": reflected} | shifts | others


def _gradient(made: Section, orbits: Orbits, m: int, settings: Settings) -> None:
    """Compare forces with finite differences of the energy; the asymmetry of their Jacobian."""
    potential = orbits.subject.potential
    assert potential is not None
    draw = torch.Generator().manual_seed(settings.seed)
    rows: list[list[float]] = []
    for i in range(min(m, MOLECULES // 3)):
        pos, z = orbits.structures.batch([i])
        inside = of_atoms(z)[..., None]
        drawn = torch.randn(2, DIRECTIONS, *pos.shape[1:], generator=draw).double() * inside
        u, v = drawn / drawn.flatten(2).norm(dim=2)[..., None, None]
        pos, z = pos.double().expand(DIRECTIONS, -1, -1), z.expand(DIRECTIONS, -1)
        (up, ahead), (down, behind) = (potential(pos + s * STEP * u, z) for s in (1, -1))
        (_, left), (_, right) = (potential(pos + s * STEP * v, z) for s in (1, -1))
        slope = -(up - down) / (2 * STEP)
        force = ((ahead + behind) / 2 * u).sum((1, 2))  # the force at the middle, to order STEP^2
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
        f"{middle.text(0, unit='eV/angstrom')} along a random direction of all atoms (median). "
        f"Their Jacobian is asymmetric by {middle.text(1, unit='%', scale=100)}; that of a "
        "gradient is symmetric."
    )
