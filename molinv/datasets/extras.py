"""Optional data of molecules beside atoms and positions: inputs that a model may take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float32, Int8, Int64, UInt8

from ..chem import xtb
from ..chem.graph import ATOM, Graph
from .ragged import pointers


@dataclass(frozen=True, eq=False)
class Graphs:
    """Bond graphs of n molecules; several may share one.

    Molecule i with N atoms has the rows atoms[atom_start[i] :][:N] and the N x N codes
    pairs[pair_start[i] :][: N * N] (see `chem.graph`). Its starts are -1 if its bonds are unknown.
    """

    atoms: UInt8[np.ndarray, "atoms 8"]
    pairs: UInt8[np.ndarray, " pairs"]
    atom_start: Int64[np.ndarray, " n"]
    pair_start: Int64[np.ndarray, " n"]

    @classmethod
    def of(cls, graphs: Sequence[Graph | None]) -> Graphs:
        """Gather graphs; None stands for an unknown graph."""
        known = [g for g in graphs if g is not None]
        sizes = np.array([0 if g is None else len(g.atoms) for g in graphs], np.int64)
        there = np.array([g is not None for g in graphs], bool)
        empty = np.zeros((0, len(ATOM)), np.uint8)
        return cls(
            np.concatenate([empty, *(g.atoms for g in known)]),
            np.concatenate([empty.ravel(), *(g.pairs.ravel() for g in known)]),
            np.where(there, pointers(sizes)[:-1], -1),
            np.where(there, pointers(sizes**2)[:-1], -1),
        )

    @classmethod
    def joined(cls, parts: Sequence[Graphs]) -> Graphs:
        """The graphs of several sets of molecules, one after the other."""
        starts: list[list[np.ndarray]] = [[], []]
        ends = [0, 0]
        for part in parts:
            for k, own in enumerate((part.atom_start, part.pair_start)):
                starts[k].append(np.where(own < 0, -1, own + ends[k]))
            ends = [ends[0] + len(part.atoms), ends[1] + len(part.pairs)]
        flat = (
            np.concatenate([getattr(part, name) for part in parts]) for name in ("atoms", "pairs")
        )
        return cls(*flat, *(np.concatenate(each) for each in starts))

    def take(self, indices: Int64[np.ndarray, " m"]) -> Graphs:
        """The graphs of the chosen molecules."""
        return replace(
            self, atom_start=self.atom_start[indices], pair_start=self.pair_start[indices]
        )


@dataclass(frozen=True, eq=False)
class Electronics:
    """xTB results of n molecules; those of molecule i begin at atom_start[i] and pair_start[i].

    For a molecule without results the starts are -1 and the row of `molecule` is NaN. Columns are
    named in `chem.xtb` (ATOMS, PAIRS, MOLECULE).
    """

    atoms: Float32[np.ndarray, "atoms 39"]
    pairs: Float32[np.ndarray, "pairs 1"]
    molecule: Float32[np.ndarray, "n 6"]
    atom_start: Int64[np.ndarray, " n"]
    pair_start: Int64[np.ndarray, " n"]

    @classmethod
    def of(cls, each: list[xtb.Electronic]) -> Electronics:
        """Gather the results of single molecules, at least one."""
        sizes = np.array([len(e.atoms) for e in each], np.int64)
        return cls(
            np.concatenate([e.atoms for e in each]),
            np.concatenate([e.pairs.reshape(-1, len(xtb.PAIRS)) for e in each]),
            np.stack([e.molecule for e in each]),
            pointers(sizes)[:-1],
            pointers(sizes**2)[:-1],
        )

    def take(self, indices: Int64[np.ndarray, " m"]) -> Electronics:
        """The results of the chosen molecules."""
        return replace(
            self,
            molecule=self.molecule[indices],
            atom_start=self.atom_start[indices],
            pair_start=self.pair_start[indices],
        )


@dataclass(frozen=True, eq=False)
class Extras:
    """Optional data of n molecules; a field is None if it is unknown for all of them.

    graphs       bond graphs
    kinds        the origin of each geometry, as an index into `chem.structure.KINDS`
    state        total charge and number of unpaired electrons
    descriptors  the descriptors that the settings name; NaN for molecules without them
    electronic   xTB results
    """

    graphs: Graphs | None = None
    kinds: UInt8[np.ndarray, " n"] | None = None
    state: Int8[np.ndarray, "n 2"] | None = None
    descriptors: Float32[np.ndarray, "n d"] | None = None
    electronic: Electronics | None = None

    def take(self, indices: Int64[np.ndarray, " m"]) -> Extras:
        """The data of the chosen molecules."""
        each = (self.kinds, self.state, self.descriptors)
        kinds, state, descriptors = (None if a is None else a[indices] for a in each)
        graphs = None if self.graphs is None else self.graphs.take(indices)
        said = None if self.electronic is None else self.electronic.take(indices)
        return Extras(graphs, kinds, state, descriptors, said)
