"""Small molecules in a rare-gas crystal (matrix isolation), by GFN2-xTB: data with a point group.

A molecule replaces an atom of the fcc crystal. The site's twelve nearest neighbours are a rigid
cage around the origin. The target is the interaction energy E(cage + molecule) - E(cage) -
E(molecule) in meV; the input are the molecule's atoms alone, in the cage's frame.

The symmetry follows from the Hamiltonian. With the cage's nuclei at Y, the energy of nuclei X and
all electrons depends on distances alone, and not on the order of equal atoms. So for R in O(3)

    E(R X; R Y) = E(X; Y),    and hence    E(R X; Y) = E(X; R^T Y) = E(X; Y)  where R Y = Y

as a set of atoms. The energies of cage and molecule alone do not depend on R. The symmetry is
therefore the cage's point group. The neighbours are at the middles of the edges of a cube, a
cuboctahedron, whose group is Oh, with the 24 rotations O. A strain along z makes the eight
neighbours off the level plane farther (or nearer) than the four in it. Left are D4h and the eight
rotations D4: quarter turns about z, and half turns about x, y and the diagonals between these.
Other elements of O, such as third turns about the cube's diagonals, exchange neighbours at unlike
distances and change the energy, the more the larger the strain. Translations change the distances
to the cage: they are not symmetries.

Orientations are Haar-random and displacements from the site's centre isotropic, so that every
rotation about it takes molecules to where others are. Distances between nearest neighbours are
those of the crystals at 0 K: Kittel, Introduction to Solid State Physics, chapter 3. GFN2-xTB:
Bannwarth, Ehlert, Grimme, J. Chem. Theory Comput. 15, 1652 (2019), as tblite computes it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache
from itertools import product
from math import sqrt
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float64

from ..chem.xtb import METHOD, check_installed
from ..errors import InputError, unknown
from ..groups.point_group import PointGroup
from ..groups.so3 import from_quaternion
from .labelled import Labelled, frame, gather, left_out, save
from .shards import check_same, check_workers, planned, run
from .targets import Target
from .xtb import singlepoint

FILE = "matrix.extxyz"
ENERGY = Target("interaction", "meV", "GFN2-xTB energy in the cage less those of the two alone")
GASES = {"Ne": 3.13, "Ar": 3.76, "Kr": 4.01, "Xe": 4.35}  # angstrom, between nearest neighbours
STRAINED = 0.2  # largest strain: the neighbours remain the twelve nearest ones
FARTHEST = 1.0  # angstrom, of the molecule from the site's centre
WIDEST = 0.2  # angstrom: larger displacements break bonds
CLOSEST = 2.0  # angstrom, between a molecule's atoms and the cage
TRIES = 1000  # orientations and places, before a molecule is too large for the cage
MEV = 1000.0
Atoms = Float64[np.ndarray, "n 3"]


@dataclass(frozen=True)
class Settings:
    """Which molecules in which cage.

    count      number of molecules; the kinds take turns
    molecules  their kinds, by their names in ASE's g2 set
    gas        the crystal's: Ne, Ar, Kr or Xe
    strain     of the cage along z; 0 leaves it cubic
    reach      largest distance of the centre of mass from the site's (angstrom); displacements
               are uniform in the ball
    sigma      standard deviation of each coordinate's distortion (angstrom)
    seed       of the distortions, orientations (Haar) and displacements
    """

    count: int = 4500
    molecules: tuple[str, ...] = ("CO2", "C2H2", "H2CO")
    gas: str = "Ar"
    strain: float = 0.06
    reach: float = 0.3
    sigma: float = 0.02
    seed: int = 0

    def __post_init__(self):
        if self.gas not in GASES:
            raise unknown("rare gas", self.gas, GASES)
        if self.count < 1 or self.seed < 0:
            raise InputError(
                "expected a count of at least 1 and a seed of 0 or more, got "
                f"{self.count} and {self.seed}."
            )
        if not -STRAINED <= self.strain <= STRAINED:
            raise InputError(
                f"expected a strain from {-STRAINED} to {STRAINED}, so that the site keeps its "
                f"twelve neighbours, got {self.strain}."
            )
        if not 0 <= self.reach <= FARTHEST or not 0 <= self.sigma <= WIDEST:
            raise InputError(
                f"expected a reach from 0 to {FARTHEST} and a sigma from 0 to {WIDEST} angstrom, "
                f"got {self.reach} and {self.sigma}."
            )
        if not self.molecules:
            raise InputError("expected at least one molecule such as CO2, got none.")
        for name in self.molecules:
            _check(name)


def _check(name: str) -> None:
    """Raise InputError unless ASE knows a closed-shell molecule of this name."""
    from ase.build import molecule
    from ase.collections import g2

    if name not in g2.names:
        raise unknown("molecule of ASE's g2 set", name, g2.names)
    found = molecule(name)
    if len(found) == 1:
        raise InputError(f"{name} is a single atom, whose energy has no orientation.")
    if found.get_initial_magnetic_moments().any() or found.numbers.sum() % 2:
        raise InputError(f"{name} has unpaired electrons: choose a closed-shell molecule.")


class Truth(NamedTuple):
    """The rotations that leave the interaction energy unchanged: a point group, main axis z."""

    symbol: str

    def elements(self) -> Float64[np.ndarray, "m 3 3"]:
        """All rotations of the group."""
        return PointGroup(self.symbol).elements.double().numpy()


def truth(settings: Settings) -> Truth:
    """The symmetry of the interaction energy in this cage."""
    return Truth("D4" if settings.strain else "O")


@cache
def cage(settings: Settings) -> tuple[np.ndarray, Atoms]:
    """Atomic numbers (12,) and positions (12, 3) of the cage around the origin."""
    from ase.data import atomic_numbers

    edges = [x for x in product((-1.0, 0.0, 1.0), repeat=3) if np.abs(x).sum() == 2]
    pos = GASES[settings.gas] / sqrt(2) * np.array(edges)
    pos[:, 2] *= 1 + settings.strain
    return np.full(len(pos), atomic_numbers[settings.gas]), pos


@cache
def _alone(settings: Settings) -> float:
    return singlepoint(*cage(settings))[0]


def interaction(z: np.ndarray, pos: Atoms, settings: Settings) -> float:
    """The interaction energy (meV) of a molecule at `pos` with the cage.

    Raises RuntimeError where an SCF does not converge.
    """
    cage_z, cage_pos = cage(settings)
    together = singlepoint(np.concatenate([cage_z, z]), np.vstack([cage_pos, pos]))[0]
    return MEV * (together - _alone(settings) - singlepoint(z, pos)[0])


def place(number: int, settings: Settings) -> tuple[str, np.ndarray, Atoms]:
    """The name, atomic numbers and positions of molecule `number` in the cage.

    Its distortion, orientation and displacement are drawn again where it is within CLOSEST of the
    cage. Raises InputError for a molecule that is too large.
    """
    from ase.build import molecule

    draw = np.random.default_rng([settings.seed, number])
    name = settings.molecules[number % len(settings.molecules)]
    stored = molecule(name)
    centred = stored.positions - stored.get_center_of_mass()
    around = cage(settings)[1]
    for _ in range(TRIES):
        q = draw.standard_normal(4)
        turn = from_quaternion(torch.from_numpy(q / np.linalg.norm(q))).numpy()
        way = draw.standard_normal(3)
        moved = settings.reach * draw.uniform() ** (1 / 3) * way / np.linalg.norm(way)
        distorted = centred + settings.sigma * draw.standard_normal(centred.shape)
        pos = np.round(distorted @ turn.T + moved, 8)
        if np.linalg.norm(pos[:, None] - around, axis=-1).min() >= CLOSEST:
            return f"{name}-{number}", stored.numbers, pos
    raise InputError(f"{name} is too large for a cage of {settings.gas}: choose another gas.")


def label(settings: Settings, folder: Path, workers: int = 0) -> tuple[Path, int, int]:
    """Write folder/matrix.extxyz; returns its path, how many molecules it has, how many failed.

    A frame has the molecule's atoms and its interaction energy (meV); the cage is in settings.json
    alone. folder/molecules is a data set of the same molecules, which opens faster. Train on it
    with `--center false`: where a molecule is belongs to the input. Molecules whose SCF does not
    converge are listed in left_out.csv. `workers` processes compute, 0 this one; an interrupted run
    is resumed. Raises InputError without tblite, for a molecule that is too large for the cage, and
    for a folder that holds another set.
    """
    check_installed()
    check_workers(workers)
    for number in range(min(settings.count, len(settings.molecules))):
        place(number, settings)  # before anything is written: each kind fits
    check_same(folder, asdict(settings))
    paths, todo = planned(folder, settings.count)
    run(shard, [(numbers, settings, path) for numbers, path in todo], workers, METHOD)
    total = gather(paths, folder / FILE, ENERGY)
    return folder / FILE, total, left_out(paths, folder, total)


def shard(numbers: range, settings: Settings, path: Path) -> None:
    """Label some molecules as one file; those that do not converge are listed beside it."""
    found, lost = [], []
    for number in numbers:
        name, z, pos = place(number, settings)
        try:
            energy = interaction(z, pos, settings)
        except RuntimeError as error:
            lost.append((name, " ".join(str(error).split())))
            continue
        keys = f"interaction={energy:.6f} name={name}"
        found.append(Labelled(name, z, pos, energy, frame(z, pos, keys)))
    save(path, found, lost)
