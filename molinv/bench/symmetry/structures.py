"""The structures of the benchmark: molecules of QM9 in boxes, and crystals."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms

BOX = 12.0  # angstrom of vacuum around a molecule; some potentials accept crystals only
SHAKEN = 0.08  # angstrom; standard deviation of the displacements
# names for ase.build.bulk, lattices and lattice constants; EMT has parameters for the first six
_LATTICES = (
    *(("Cu", "fcc", 3.61), ("Al", "fcc", 4.05), ("Ni", "fcc", 3.52), ("Ag", "fcc", 4.09)),
    *(("Pd", "fcc", 3.89), ("Pt", "fcc", 3.92), ("Si", "diamond", 5.43), ("C", "diamond", 3.57)),
    *(("NaCl", "rocksalt", 5.64), ("MgO", "rocksalt", 4.21), ("GaAs", "zincblende", 5.65)),
    *(("Fe", "bcc", 2.87), ("CsCl", "cesiumchloride", 4.12), ("Ge", "diamond", 5.66)),
)


def molecules(count: int) -> list[Atoms]:
    """Every hundredth molecule of QM9, in a periodic box."""
    from ase import Atoms

    from ...datasets import load

    stored, made = load("qm9"), []
    for i in range(1000, 1000 + 100 * count, 100):
        z, pos = stored.molecule(i)[:2]
        atoms = Atoms(numbers=np.asarray(z), positions=np.asarray(pos, float), pbc=True)
        atoms.center(vacuum=BOX / 2)
        atoms.info["name"] = stored.smiles[i]
        made.append(atoms)
    return made


def crystals(count: int) -> list[Atoms]:
    """Conventional cells, strained and with displaced atoms.

    A perfect crystal's own symmetry would hide broken rotations and reflections.
    """
    from ase.build import bulk

    made = []
    for i in range(count):
        name, lattice, a = _LATTICES[i % len(_LATTICES)]
        atoms = bulk(name, lattice, a=a, cubic=True)
        draw = np.random.default_rng(i)
        strain = np.eye(3) + 0.03 * draw.normal(size=(3, 3))
        atoms.set_cell(atoms.cell.array @ strain, scale_atoms=True)
        atoms.positions += SHAKEN * draw.normal(size=atoms.positions.shape)
        atoms.info["name"] = f"{name} {i + 1}"
        made.append(atoms)
    return made


SETS: dict[str, Callable[[int], list[Atoms]]] = {"molecules": molecules, "crystals": crystals}
