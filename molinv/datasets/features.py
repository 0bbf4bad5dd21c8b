"""Inputs of a model beside positions and elements, as tensors for padded batches.

Names that a run may ask for, as in `--features bonds,state`:

    bonds     the bond graph: of atoms formal charge, aromaticity, hybridisation, smallest ring,
              chirality, hydrogens, neighbours; of pairs bonds between them, type, conjugation, ring
    state     the molecule's total charge and its number of unpaired electrons
    geometry  whether its coordinates were given, embedded by RDKit, or given but for hydrogens
    xtb       what GFN2-xTB says: of atoms populations, multipoles and parts of the energy, of pairs
              bond orders, of the molecule frontier orbitals, atomisation energy and dipole moment
              (see `chem.xtb`); outputs begin as linear functions of the latter

What is not known of a molecule is 0 throughout, but for xtb, which is always computed: one network
serves files with bonds and without. DESCRIPTORS stands for those that `--descriptors` names, the
last numbers of a molecule but for those of xtb.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from ..chem import xtb
from ..chem.graph import ATOM, ATOM_SIZE, PAIR_SIZE, atom_table, pair_table
from ..chem.structure import KINDS
from ..errors import InputError, unknown
from .extras import Extras

XTB = "xtb"
NAMES = ("bonds", "state", "geometry", XTB)
DESCRIPTORS = "descriptors"
CHARGES, UNPAIRED = 3, 3  # beyond these counted as these


class Sizes(NamedTuple):
    """Numbers for each atom, each pair of atoms and each molecule, and descriptors after these.

    The last `xtb_atoms` of an atom and the last `xtb` of the descriptors are xTB's.
    """

    atoms: int
    pairs: int
    molecule: int
    descriptors: int = 0
    xtb_atoms: int = 0
    xtb: int = 0


class Features(NamedTuple):
    """Those of b molecules of at most n atoms; zeros for padding and for what is not known."""

    atoms: Float[Tensor, "b n fa"]
    pairs: Float[Tensor, "b n n fp"]
    molecule: Float[Tensor, "b fm"]

    def expand(self, copies: int) -> Features:
        """Those of one molecule, for copies of it."""
        return Features(*(each.expand(copies, *each.shape[1:]) for each in self))

    def to(self, where: torch.device | torch.dtype | str) -> Features:
        """The same on a device, or in another precision."""
        return Features(*(each.to(where) for each in self))


def parse(text: str) -> tuple[str, ...]:
    """The names in "bonds,state", each once; raises InputError for an unknown one."""
    names = tuple(dict.fromkeys(n for n in (part.strip() for part in text.split(",")) if n))
    for name in names:
        if name not in NAMES:
            raise unknown("feature", name, NAMES)
    return names


def sizes(names: Sequence[str], descriptors: int = 0) -> Sizes:
    """How many numbers the named features are."""
    bonds = "bonds" in names
    molecule = (2 * CHARGES + 1 + UNPAIRED + 1) * ("state" in names)
    molecule += len(KINDS) * ("geometry" in names)
    by_xtb = XTB in names
    atoms, pairs, whole = (by_xtb * len(x) for x in (xtb.ATOMS, xtb.PAIRS, xtb.MOLECULE))
    return Sizes(
        ATOM_SIZE * bonds + atoms,
        PAIR_SIZE * bonds + pairs,
        molecule,
        descriptors + whole,
        atoms,
        whole,
    )


class FeatureStore:
    """The named features of molecules, as codes on a device: 1 byte a pair of atoms.

    Raises InputError where the molecules lack what a name asks for.
    """

    def __init__(
        self,
        extras: Extras,
        ptr: Int64[np.ndarray, " ends"],
        names: Sequence[str],
        device: torch.device | str,
    ):
        self.device = torch.device(device)
        self.bonds = "bonds" in names
        n = len(ptr) - 1
        if self.bonds:
            graphs = extras.graphs
            atoms = np.zeros((1, len(ATOM)), np.uint8) if graphs is None else graphs.atoms
            pairs = np.zeros(1, np.uint8) if graphs is None else graphs.pairs
            starts = (
                [np.full(n, -1)] * 2 if graphs is None else [graphs.atom_start, graphs.pair_start]
            )
            self._atoms, self._pairs, *self._starts = (
                torch.tensor(a).to(device) for a in (atoms, pairs, *starts)
            )
            self._atom_tables = [torch.tensor(t).to(device) for t in atom_table()]
            self._pair_table = torch.tensor(pair_table()).to(device)
        self.xtb = XTB in names
        if self.xtb:
            if extras.electronic is None:
                raise InputError("the feature xtb needs what xTB says of the molecules.")
            said = extras.electronic
            arrays = (said.atoms, said.pairs, said.atom_start, said.pair_start)
            self._xtb = [torch.tensor(a).to(device) for a in arrays]
        self._size = torch.tensor(np.diff(ptr)).to(device)
        self._molecule = _of_molecules(extras, n, names).to(device)

    def of(self, index: Int64[Tensor, " b"], n: int) -> Features:
        """Those of the molecules `index`, padded to n atoms."""
        zeros = self._molecule.new_zeros
        atoms, pairs = [zeros(len(index), n, 0)], [zeros(len(index), n, n, 0)]
        if self.bonds:
            of_atoms, of_pairs = self._of(index, n, self._atoms, self._pairs, *self._starts)
            atoms += [t[of_atoms[..., k].long()] for k, t in enumerate(self._atom_tables)]
            pairs.append(self._pair_table[of_pairs.long()])
        if self.xtb:
            of_atoms, of_pairs = self._of(index, n, *self._xtb)
            atoms.append(of_atoms)
            pairs.append(of_pairs)
        return Features(torch.cat(atoms, -1), torch.cat(pairs, -1), self._molecule[index])

    def _of(
        self,
        index: Int64[Tensor, " b"],
        n: int,
        atoms: Tensor,
        pairs: Tensor,
        atom_start: Int64[Tensor, " all"],
        pair_start: Int64[Tensor, " all"],
    ) -> tuple[Tensor, Tensor]:
        """Entries of atoms (b, n, ...) and pairs (b, n, n, ...), 0 where nothing is known."""
        at, size = torch.arange(n, device=index.device), self._size[index]
        start, first = atom_start[index], pair_start[index]
        known = (at < size[:, None]) & (start >= 0)[:, None]
        of_atoms = atoms[torch.where(known, start[:, None] + at, 0)]
        both: Bool[Tensor, "b n n"] = known[:, :, None] & known[:, None]
        where = first[:, None, None] + at[:, None] * size[:, None, None] + at
        of_pairs = pairs[torch.where(both, where, 0)]
        return _where(known, of_atoms), _where(both, of_pairs)


def _where(known: Tensor, values: Tensor) -> Tensor:
    """The values, 0 where they are not known."""
    return values * known.view(*known.shape, *[1] * (values.ndim - known.ndim)).to(values.dtype)


def molecule_numbers(extras: Extras, names: Sequence[str]) -> Float[np.ndarray, "n d"] | None:
    """The numbers of molecules that a network standardises; None where it takes none."""
    parts = []
    if DESCRIPTORS in names:
        if extras.descriptors is None:
            raise InputError(
                "the model takes descriptors, which these molecules lack: see `Predictor.usable`."
            )
        parts.append(extras.descriptors)
    if XTB in names:
        assert extras.electronic is not None
        parts.append(extras.electronic.molecule)
    return np.concatenate(parts, 1) if parts else None


def _of_molecules(extras: Extras, n: int, names: Sequence[str]) -> Float[Tensor, "n fm"]:
    """What is of each molecule."""
    parts = [np.zeros((n, 0), np.float32)]
    if "state" in names:
        made = np.zeros((n, 2 * CHARGES + 1 + UNPAIRED + 1), np.float32)
        if extras.state is not None:
            charge = np.clip(extras.state[:, 0], -CHARGES, CHARGES) + CHARGES
            unpaired = np.clip(extras.state[:, 1], 0, UNPAIRED) + 2 * CHARGES + 1
            made[np.arange(n), charge] = made[np.arange(n), unpaired] = 1
        parts.append(made)
    if "geometry" in names:
        if extras.kinds is None:
            raise InputError(
                "the feature geometry needs molecules whose geometries are of known kinds."
            )
        parts.append(np.eye(len(KINDS), dtype=np.float32)[extras.kinds])
    if (values := molecule_numbers(extras, names)) is not None:
        parts.append(values)
    return torch.tensor(np.concatenate(parts, 1))
