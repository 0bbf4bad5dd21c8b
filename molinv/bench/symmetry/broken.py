"""ASE's EMT, broken on purpose in one way each."""

from __future__ import annotations

from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT

STRENGTH = 0.02  # eV, or eV/angstrom


class Broken(Calculator):
    """EMT with a term that lacks a symmetry: `what` says which.

    rotation      depends on how far bonds reach along z
    reflection    on the handedness of the first atoms
    translation   on where the first atom is
    permutation   on which atom comes first
    gradient      its forces have a part that turns atoms about z, which no energy has
    """

    implemented_properties = ["energy", "forces"]  # noqa: RUF012

    def __init__(self, what: str):
        super().__init__()
        self.what = what

    def calculate(
        self, atoms: Any = None, properties: Any = ("energy",), system_changes: Any = all_changes
    ) -> None:
        """Energy and forces; those of the terms are left out, but for `gradient`."""
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
