"""Report section: ml-peg's measures of rotational symmetry.

Each structure passes through 115 orientations: as stored, 14 steps of 1 to 40 degrees, and 100
random ones. Successive orientations are compared by the energy per atom and the mean absolute
difference of the forces, rotated back.
Source: ml-peg's rotational symmetry benchmark (github.com/ddmms/ml-peg, issue 834), which has ten
structures of its own.
"""

from __future__ import annotations

from math import pi

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import InputError
from ..groups import SO3
from ..groups.merging import distance
from .intervals import short
from .orbits import Orbits
from .orbits.maps import label
from .section import Section, Series
from .settings import Settings
from .subject import of_atoms

STRUCTURES = 10  # largest number of structures
SMALL, RANDOM = 14, 100  # steps
REACH = (1.0, 40.0)  # degrees of the first and the last small step


def section(orbits: Orbits, settings: Settings) -> Section:
    """Mean and largest difference between successive orientations; InputError without forces."""
    potential, structures = orbits.subject.potential, orbits.structures
    if potential is None:
        raise InputError("the walk compares energies and forces: give a calculator that has both.")
    turns = walk(settings.seed)
    between = torch.rad2deg(distance(turns[1:], turns[:-1])).tolist()
    count = min(len(structures), STRUCTURES)
    tick = settings.progress("a walk through orientations", count * len(turns))
    lines, energies, forces = [], [], []
    for i in range(count):
        pos, z = structures.batch([i])
        inside = of_atoms(z)[0]
        each = []
        for g in turns:
            energy, force = potential(pos.double() @ g.mT, z)
            each.append((energy[0], force[0][inside] @ g))
            tick(1)
        energy, force = (torch.stack(part) for part in zip(*each, strict=True))
        energies.append((energy.diff() / int(inside.sum())).abs())
        forces.append(force.diff(dim=0).abs().mean((1, 2)))
        lines.append(label(structures, i))
    found = {"energy": torch.stack(energies), "forces": torch.stack(forces)}
    units = {"energy": "eV/atom", "forces": "eV/angstrom"}
    made = Section("walk", "A walk through orientations")
    made.numbers = {
        "pairs": found["energy"].numel(),
        "angles": between,
        "structures": lines,
        **{f"mean_{what}": float(v.mean()) for what, v in found.items()},
        **{f"max_{what}": float(v.max()) for what, v in found.items()},
        **{what: v.tolist() for what, v in found.items()},
        "units": units,
    }
    text = [
        f"{what} {short(float(v.mean()))} (at most {short(float(v.max()))}) {units[what]}"
        for what, v in found.items()
    ]
    made.findings.append(
        f"Over {found['energy'].numel():,} pairs of successive orientations of {count} structures "
        f"the mean differences are: {', '.join(text)}."
    )
    for what, values in found.items():
        made.chart(
            f"walk_{what}",
            f"Difference between successive orientations: {what}",
            "angle between them (degrees)",
            f"{what} ({units[what]})",
            [
                Series(line, between, row.tolist(), style="points")
                for line, row in zip(lines, values, strict=True)
            ],
            log_y=True,
        )
    return made


def walk(seed: int) -> Float[Tensor, "o 3 3"]:
    """115 orientations: as stored, small steps of growing angle, random ones."""
    draw, so3 = torch.Generator().manual_seed(seed), SO3().double()
    axes = torch.randn(SMALL, 3, generator=draw, dtype=torch.float64)
    steps = torch.linspace(*REACH, SMALL).double()[:, None] * pi / 180
    small = so3.exp(steps * axes / axes.norm(dim=1, keepdim=True))
    turns = [torch.eye(3, dtype=torch.float64)]
    for step in small:
        turns.append(step @ turns[-1])
    return torch.cat([torch.stack(turns), so3.haar(RANDOM, draw)])
