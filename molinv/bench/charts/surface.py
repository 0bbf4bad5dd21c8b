"""GFN2-xTB's energy of one molecule, displaced along its softest vibrations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.optimize import BFGS
from jaxtyping import Float64

from ...chem.conformers import embed, parse_smiles
from ...chem.state import of_mol
from ...datasets.xtb import singlepoint
from ...errors import InputError
from ..potential.measures import XTB

FLAT = 0.002  # largest force at the minimum, eV/angstrom
STEP = 0.005  # of the forces' central differences, angstrom
MEV = 1000.0  # in one eV


@dataclass(frozen=True, eq=False)
class Surface:
    """A minimum of the energy and d normal modes.

    z, pos   atomic numbers and the minimum, angstrom
    modes    displacements (d, n, 3), angstrom, each of the harmonic energy `top`
    energy   of the minimum, eV
    top      harmonic energy at |q| = 1, eV
    """

    z: np.ndarray
    pos: Float64[np.ndarray, "n 3"]
    modes: Float64[np.ndarray, "d n 3"]
    energy: float
    top: float

    @classmethod
    def of(cls, smiles: str, d: int, top: float) -> Surface:
        """Relax a molecule and find its d softest vibrations.

        Raises InputError for a SMILES without a geometry, an ion or a radical, and a molecule with
        fewer vibrations.
        """
        z, pos = embed(smiles)
        if any(of_mol(parse_smiles(smiles))):
            raise InputError(f"{smiles} is an ion or a radical: expected a neutral molecule.")
        if 3 * len(z) - 6 < d:
            raise InputError(
                f"{smiles} has {max(0, 3 * len(z) - 6)} vibrations: expected at least {d}."
            )
        atoms = Atoms(z, pos, calculator=XTB())
        BFGS(atoms, logfile=None).run(fmax=FLAT, steps=500)
        mass = np.repeat(atoms.get_masses(), 3) ** 0.5
        size, rows = mass.size, []
        for k in range(size):
            off = STEP * np.eye(size)[k].reshape(-1, 3)
            up, down = (singlepoint(z, atoms.positions + s * off)[1] for s in (1, -1))
            rows.append((down - up).ravel() / (2 * STEP))
        hessian = np.array(rows) / np.outer(mass, mass)
        found, vectors = np.linalg.eigh((hessian + hessian.T) / 2)
        # translations and rotations are the six eigenvalues nearest to zero
        kept = np.sort(np.argsort(abs(found))[6:])[:d]
        if found[kept[0]] <= 0:
            raise InputError(f"{smiles} was not relaxed to a minimum: choose another molecule.")
        modes = (2 * top / found[kept]) ** 0.5 * vectors[:, kept] / mass[:, None]
        energy = singlepoint(z, atoms.positions)[0]
        return cls(z, atoms.positions.copy(), modes.T.reshape(d, -1, 3), energy, top)

    def energies(self, q: Float64[np.ndarray, "b d"]) -> Float64[np.ndarray, " b"]:
        """Energies above the minimum, meV; not a number where xTB does not converge."""
        made = np.full(len(q), np.nan)
        for k, row in enumerate(q):
            try:
                found = singlepoint(self.z, self.pos + np.tensordot(row, self.modes, 1))[0]
            except RuntimeError:
                continue
            made[k] = MEV * (found - self.energy)
        return made

    def harmonic(self, q: Float64[np.ndarray, "b d"]) -> Float64[np.ndarray, " b"]:
        """The harmonic approximation of the same energies, meV."""
        return MEV * self.top * np.square(q).sum(-1)

    def draw(self, n: int, seed: int) -> Float64[np.ndarray, "n d"]:
        """Displacements with uniform directions and uniform harmonic energies up to `top`."""
        draw = np.random.default_rng(seed)
        q = draw.standard_normal((n, len(self.modes)))
        return q / np.linalg.norm(q, axis=1, keepdims=True) * draw.random((n, 1)) ** 0.5
