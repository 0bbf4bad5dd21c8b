"""Small metal clusters over a metal slab, by ASE's EMT: real data with a plane group.

The target is the interaction energy E(slab + cluster) - E(slab) - E(cluster) of rigid parts, in
meV; the input are the cluster's atoms alone, in the slab's frame: z points away from the slab, and
the origin is 3 angstrom above an atom of the top layer, amid the clusters, so that rotations about
any axis take clusters to where others are. (About an atom of the slab, half turns about level axes
would take all clusters into the slab, where no energy contradicts them.)

The symmetry follows from the Hamiltonian. The nuclei of the slab are an external potential V that
is fixed in space, and the energy of cluster positions X in it obeys

    E(R X + t) = E(X)  where (R, t) maps the infinite slab to itself,

since everything else depends on distances between atoms. These elements keep the normal, so they
are the slab's plane group: slides by the surface's lattice vectors, turns about the normal through
an atom by quarter turns on the (100) facet (p4m) and by third turns on the (111) facet (p3m1, the
second layer removes sixth turns), and mirror planes that contain the normal. Height and tilt change
the distances to the slab, and slides by other vectors the site that the cluster is over: they are
not symmetries. EMT is parametrised for Cu, Ag, Au, Ni, Pd, Pt and Al.
Source: Jacobsen, Stoltze, Norskov, Surf. Sci. 366, 394 (1996), as ASE computes it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache
from math import pi
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float64

from ..errors import InputError, unknown
from .labelled import Labelled, frame, gather, save
from .shards import check_same, check_workers, planned, run
from .targets import Target

FILE = "surface.extxyz"
METALS = ("Al", "Ni", "Cu", "Pd", "Ag", "Pt", "Au")
FACETS = {"100": 4, "111": 3}  # turns about the normal
ENERGY = Target("interaction", "meV", "EMT energy with the slab less those of the two alone")
VACUUM = 10.0  # angstrom, least: the reach of EMT, and the cluster
CELLS = 5  # least, along each side: a cluster must not see its images
HEIGHT = 3.0  # angstrom, of the origin above the top layer
LOW, HIGH = 1.6, 4.0  # angstrom, the lowest atom above the top layer
REACH = 6.5  # angstrom, of EMT: the least distance of a cluster from its images
CLOSEST = 1.9  # angstrom, between a cluster and the slab
MEV = 1000.0
Atoms = Float64[np.ndarray, "n 3"]


@dataclass(frozen=True)
class Settings:
    """Which clusters over which slab.

    count      number of clusters
    metal      the slab's; `facet` 100 or 111
    cluster    the cluster's metal; `atoms` of them
    cells, layers, vacuum   the slab's size: cells along each side, layers, angstrom above it
    seed       of the clusters' shapes, orientations (Haar), places and heights
    """

    count: int = 5000
    metal: str = "Cu"
    facet: str = "100"
    cluster: str = "Pt"
    atoms: int = 3
    cells: int = 5
    layers: int = 3
    vacuum: float = 12.0
    seed: int = 0

    def __post_init__(self):
        for metal in (self.metal, self.cluster):
            if metal not in METALS:
                raise unknown("metal of EMT", metal, METALS)
        if self.facet not in FACETS:
            raise unknown("facet", self.facet, FACETS)
        if not VACUUM <= self.vacuum < np.inf:
            raise InputError(
                f"a slab needs vacuum above it: expected at least {VACUUM:g} angstrom, got "
                f"{self.vacuum:g}."
            )
        least = {"count": 1, "atoms": 1, "cells": CELLS, "layers": 2, "seed": 0}
        for name, value in least.items():
            if getattr(self, name) < value:
                raise InputError(f"{name}: expected at least {value}, got {getattr(self, name)}.")
        if self.atoms > 6:
            raise InputError(f"atoms: expected a cluster of up to 6, got {self.atoms}.")


class Truth(NamedTuple):
    """The plane group of a slab: its lattice vectors (angstrom), and turns about the normal."""

    lattice: Float64[np.ndarray, "2 3"]
    turns: int

    def elements(self) -> Float64[np.ndarray, "m 3 3"]:
        """The turns about the normal through the origin."""
        angles = 2 * pi * np.arange(self.turns) / self.turns
        return np.array(
            [[[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]] for a in angles]
        )


def truth(settings: Settings) -> Truth:
    """The symmetry of the interaction energy with this slab."""
    cell = np.asarray(_slab(settings).cell)[:2] / settings.cells
    return Truth(cell, FACETS[settings.facet])


@cache
def _slab(settings: Settings) -> Any:
    """The slab in the frame of the data: an atom of its top layer is HEIGHT below the origin."""
    from ase.build import fcc100, fcc111

    build = {"100": fcc100, "111": fcc111}[settings.facet]
    size = (settings.cells, settings.cells, settings.layers)
    slab = build(settings.metal, size, vacuum=settings.vacuum, periodic=True)
    top = slab.positions[slab.positions[:, 2].argmax()]
    slab.translate([-top[0], -top[1], -top[2] - HEIGHT])
    return slab


@cache
def _alone(settings: Settings) -> float:
    return _energy(_slab(settings).copy())


def _energy(atoms: Any) -> float:
    from ase.calculators.emt import EMT

    atoms.calc = EMT()
    return float(atoms.get_potential_energy())


def interaction(pos: Atoms, settings: Settings) -> float:
    """The interaction energy (meV) of a cluster at `pos` with the slab."""
    from ase import Atoms as Structure

    cluster = Structure([settings.cluster] * len(pos), pos)
    together = _slab(settings) + cluster
    apart = _alone(settings) + _energy(cluster)
    return MEV * (_energy(together) - apart)


def place(number: int, settings: Settings) -> Atoms:
    """Cluster number `number`: a random shape, orientation, place and height over the slab."""
    from ase.data import atomic_numbers, covalent_radii

    draw = np.random.default_rng([settings.seed, number])
    bond = 1.95 * covalent_radii[atomic_numbers[settings.cluster]]
    lattice, slab = truth(settings).lattice, _slab(settings)
    longest = settings.cells * np.linalg.norm(lattice[0]) - REACH
    while True:
        pos = _shape(settings.atoms, bond, draw)
        pos -= pos.mean(0)
        if np.linalg.norm(pos[:, None, :2] - pos[:, :2], axis=-1).max() > longest:
            continue
        pos += draw.uniform(-0.5, 0.5, 2) @ lattice  # the cell about the atom
        pos[:, 2] += draw.uniform(LOW, HIGH) - HEIGHT - pos[:, 2].min()
        if _distances(pos, slab).min() >= CLOSEST:
            return np.round(pos, 8)


def _shape(n: int, bond: float, draw: np.random.Generator) -> Atoms:
    """n atoms, each about a bond away from an earlier one, in random directions."""
    pos = np.zeros((1, 3))
    while len(pos) < n:
        way = draw.standard_normal(3)
        length = bond * draw.uniform(0.95, 1.1)
        new = pos[draw.integers(len(pos))] + length * way / np.linalg.norm(way)
        if np.linalg.norm(pos - new, axis=1).min() >= 0.95 * bond:
            pos = np.vstack([pos, new])
    return pos


def _distances(pos: Atoms, slab: Any) -> Float64[np.ndarray, "n m"]:
    """Distances to the slab's atoms and their nearest images."""
    from ase.geometry import get_distances

    return get_distances(pos, slab.positions, slab.cell, [True, True, False])[1]


def label(settings: Settings, folder: Path, workers: int = 0) -> tuple[Path, int]:
    """Write folder/surface.extxyz and folder/molecules; returns the path and number of clusters.

    A frame has the cluster's atoms and its interaction energy (meV); the slab is in settings.json.
    Train on it with `--center false`: where a cluster is belongs to the input. `workers` processes
    compute, 0 this one; an interrupted run is resumed. Raises InputError for a folder that holds
    another set.
    """
    check_workers(workers)
    check_same(folder, asdict(settings))
    paths, todo = planned(folder, settings.count)
    run(shard, [(numbers, settings, path) for numbers, path in todo], workers, "EMT")
    return folder / FILE, gather(paths, folder / FILE, ENERGY)


def shard(numbers: range, settings: Settings, path: Path) -> None:
    """Label some clusters as one file."""
    from ase.data import atomic_numbers

    z, found = np.full(settings.atoms, atomic_numbers[settings.cluster]), []
    for number in numbers:
        pos = place(number, settings)
        energy = interaction(pos, settings)
        keys = f"interaction={energy:.6f} name={number}"
        found.append(Labelled(str(number), z, pos, energy, frame(z, pos, keys)))
    save(path, found)
