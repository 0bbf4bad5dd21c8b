"""Measurements of a potential: its gradient, its minima compared with xTB's, energy drift."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import Calculator, all_changes
from ase.md.verlet import VelocityVerlet
from ase.optimize import BFGS
from jaxtyping import Float64
from scipy.spatial.transform import Rotation

from ...datasets.xtb import singlepoint

# step of finite differences in double precision, angstrom. Their error is quadratic in the step. It
# was 1e-4 eV/angstrom at a step of 2e-4, where vector features of a planar molecule vanish.
STEP = 2e-5
FLAT = 0.02  # largest force at which relaxations stop, eV/angstrom


class XTB(Calculator):
    """GFN2-xTB as an ASE calculator, with the settings of the training set."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012

    def calculate(
        self, atoms: Any = None, properties: Any = ("energy",), system_changes: Any = all_changes
    ) -> None:
        """ASE's hook that fills `results`."""
        super().calculate(atoms, properties, system_changes)
        assert self.atoms is not None
        energy, forces, _ = singlepoint(self.atoms.numbers, self.atoms.positions)
        self.results = {"energy": energy, "forces": forces}


class Relaxed(NamedTuple):
    """Result of two relaxations from the same geometry.

    distance  root mean square distance between the two minima after superposition, angstrom
    start     the same between the starting geometry and xTB's minimum, angstrom
    above     xTB's energy of the model's minimum minus that of its own minimum, eV
    """

    distance: float
    start: float
    above: float


def differences(atoms: Atoms, calculator: Calculator, step: float = STEP) -> float:
    """Largest difference between a force and minus the energy's central difference, eV/angstrom."""

    def at(pos: Float64[np.ndarray, "n 3"]) -> Atoms:
        return Atoms(atoms.numbers, pos, calculator=calculator)

    forces, slopes = at(atoms.positions).get_forces(), np.zeros((len(atoms), 3))
    for place in np.ndindex(slopes.shape):
        off = np.zeros_like(slopes)
        off[place] = step
        up, down = (at(atoms.positions + o).get_potential_energy() for o in (off, -off))
        slopes[place] = (up - down) / (2 * step)
    return float(np.abs(slopes + forces).max())


def relaxation(atoms: Atoms, calculator: Calculator, seed: int) -> Relaxed:
    """Relax the same displaced geometry with the model and with xTB, until forces are small."""
    start = atoms.copy()
    start.rattle(0.05, seed=seed)
    found, truth = start.copy(), start.copy()
    for each, by in ((found, calculator), (truth, XTB())):
        each.calc = by
        BFGS(each, logfile=None).run(fmax=FLAT, steps=300)
    reached = Atoms(found.numbers, found.positions, calculator=XTB())
    above = reached.get_potential_energy() - truth.get_potential_energy()
    return Relaxed(rmsd(found, truth), rmsd(start, truth), float(above))


def dynamics(
    atoms: Atoms, calculator: Calculator, picoseconds: float, kelvin: float, seed: int
) -> tuple[float, float]:
    """Drift of the total energy (meV/atom/ps) and its standard deviation from it (meV/atom).

    The drift is the slope of a straight line fitted to a trajectory at constant energy.
    """
    atoms = atoms.copy()
    atoms.calc = calculator
    BFGS(atoms, logfile=None).run(fmax=FLAT, steps=300)
    mass = atoms.get_masses()[:, None]
    draw = np.random.default_rng(seed).standard_normal((len(atoms), 3))
    # Maxwell's velocities at twice the temperature: half the energy becomes potential energy
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
    """Root mean square distance of atoms after superposition (Kabsch 1976), angstrom."""
    a, b = (x.positions - x.positions.mean(0) for x in (one, other))
    turn = Rotation.align_vectors(a, b)[0]
    return float(np.sqrt(np.square(a - turn.apply(b)).sum(1).mean()))
