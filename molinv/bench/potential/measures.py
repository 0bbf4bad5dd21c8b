"""Measurements of a potential: its slope, its minima beside xTB's, its energy over time."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import Calculator, all_changes
from ase.md.verlet import VelocityVerlet
from ase.optimize import BFGS
from jaxtyping import Float64

from ...datasets.xtb import singlepoint

# angstrom, of finite differences in double precision: their own error is quadratic in it, and was
# 1e-4 eV/angstrom at 2e-4 where a planar molecule's vectors vanish
STEP = 2e-5
FLAT = 0.02  # eV/angstrom, where relaxations stop


class XTB(Calculator):
    """GFN2-xTB as an ASE calculator, with the settings of the training set."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012

    def calculate(
        self, atoms: Any = None, properties: Any = ("energy",), system_changes: Any = all_changes
    ) -> None:
        """ASE's hook."""
        super().calculate(atoms, properties, system_changes)
        assert self.atoms is not None
        energy, forces, _ = singlepoint(self.atoms.numbers, self.atoms.positions)
        self.results = {"energy": energy, "forces": forces}


class Relaxed(NamedTuple):
    """Two relaxations from one geometry.

    distance  root mean square between the two minima after superposition, angstrom
    start     the same between the start and xTB's minimum
    above     xTB's energy of the model's minimum above its own minimum, eV
    """

    distance: float
    start: float
    above: float


def differences(atoms: Atoms, calculator: Calculator, step: float = STEP) -> float:
    """Largest gap between a force and the energy's central difference, eV/angstrom."""
    atoms = atoms.copy()
    atoms.calc = calculator
    forces, worst = atoms.get_forces(), 0.0
    for atom in range(len(atoms)):
        for axis in range(3):
            ends = []
            for sign in (1, -1):
                moved = atoms.copy()
                moved.positions[atom, axis] += sign * step
                moved.calc = calculator
                ends.append(moved.get_potential_energy())
            slope = -(ends[0] - ends[1]) / (2 * step)
            worst = max(worst, abs(slope - float(forces[atom, axis])))
    return worst


def relaxation(atoms: Atoms, calculator: Calculator, seed: int) -> Relaxed:
    """Relax a displaced geometry by the model, and from there by xTB, until forces are small."""
    start = atoms.copy()
    start.rattle(0.05, seed=seed)
    found, truth = start.copy(), start.copy()
    for each, by in ((found, calculator), (truth, XTB())):
        each.calc = by
        BFGS(each, logfile=None).run(fmax=FLAT, steps=300)
    reached = found.copy()
    reached.calc = XTB()
    above = reached.get_potential_energy() - truth.get_potential_energy()
    return Relaxed(rmsd(found, truth), rmsd(start, truth), float(above))


def dynamics(
    atoms: Atoms, calculator: Calculator, picoseconds: float, kelvin: float, seed: int
) -> tuple[float, float]:
    """Drift (meV/atom/ps, of a straight line) and deviation from it (meV/atom) of the energy."""
    atoms = atoms.copy()
    atoms.calc = calculator
    BFGS(atoms, logfile=None).run(fmax=FLAT, steps=300)
    mass = atoms.get_masses()[:, None]
    draw = np.random.default_rng(seed).standard_normal((len(atoms), 3))
    # Maxwell's velocities of twice the temperature, half of which goes into the potential energy
    momenta = draw * np.sqrt(mass * 2 * kelvin * units.kB)
    atoms.set_momenta(momenta - mass * momenta.sum(0) / mass.sum())
    verlet, energies, each = VelocityVerlet(atoms, 0.5 * units.fs), [], 10
    for _ in range(int(1000 * picoseconds / (0.5 * each))):
        verlet.run(each)
        energies.append(atoms.get_total_energy())
    total = np.array(energies) * 1000 / len(atoms)
    time = np.arange(len(total)) * each * 0.5e-3
    slope, level = np.polyfit(time, total, 1)
    return float(slope), float((total - slope * time - level).std())


def rmsd(one: Atoms, other: Atoms) -> float:
    """Root mean square distance of the same atoms after superposition (Kabsch 1976), angstrom."""
    a, b = (centred(x.positions) for x in (one, other))
    u, _, vt = np.linalg.svd(a.T @ b)
    sign = np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    return float(np.sqrt(np.square(a @ u @ sign @ vt - b).sum(1).mean()))


def centred(pos: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 3"]:
    """Positions about their mean."""
    return pos - pos.mean(0)
