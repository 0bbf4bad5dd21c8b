"""ASE's EMT with one symmetry broken on purpose."""

from __future__ import annotations

from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT

STRENGTH = 0.02  # eV, or eV/angstrom


class Broken(Calculator):
    """EMT with an additional term that breaks the symmetry `what`.

    rotation      the term depends on the components of bonds along z
    reflection    the term depends on the handedness of the first four atoms
    translation   the term depends on the position of the first atom
    permutation   the term depends on which atom comes first
    gradient      the forces have an additional rotation about z, so they are not a gradient
    """

    implemented_properties = ["energy", "forces"]  # noqa: RUF012

    def __init__(self, what: str):
        super().__init__()
        self.what = what

    def calculate(
        self, atoms: Any = None, properties: Any = ("energy",), system_changes: Any = all_changes
    ) -> None:
        """Energy with the term, and EMT's forces; only `gradient` changes the forces."""
        inner = atoms.copy()
        inner.calc = EMT()
        forces = inner.get_forces()
        if self.what == "gradient":
            away = atoms.positions - atoms.positions.mean(0)
            forces = forces + STRENGTH * np.cross([0, 0, 1.0], away)
        energy = inner.get_potential_energy() + STRENGTH * _term(self.what, atoms)
        self.results = {"energy": energy, "forces": forces}


def _term(what: str, atoms: Atoms) -> float:
    pos = atoms.positions
    apart = pos[1:] - pos[:1] if len(pos) > 1 else pos
    if what == "rotation":
        return float(np.tanh(apart[:, 2]).sum())
    if what == "translation":
        return float(np.tanh(pos[0] / 10).sum())
    if what == "permutation":
        return float(np.linalg.norm(apart[0]))
    if what == "reflection" and len(pos) > 3:
        return float(np.tanh(np.linalg.det(apart[:3])))
    return 0.0
