"""Inputs of a model beside positions and elements, as tensors for padded batches.

Names that a run may ask for, as in `--features bonds,state`:

    bonds     the bond graph. For each atom: formal charge, aromaticity, hybridisation, smallest
              ring, chirality, hydrogens, neighbours. For each pair of atoms: number of bonds
              between them, bond type, conjugation, ring
    state     the molecule's total charge and number of unpaired electrons
    geometry  whether coordinates were given, embedded by RDKit, or given without hydrogens
    xtb       GFN2-xTB results (see `chem.xtb`). For each atom: populations, multipoles and parts
              of the energy. For each pair: bond order. For the molecule: frontier orbitals,
              atomisation energy and dipole moment; the model's outputs start as linear functions
              of these

Unknown features are 0, so that one network serves files with and without bonds; xtb is always
computed. DESCRIPTORS stands for the descriptors that `--descriptors` names. They are the last
numbers of a molecule, except for those of xtb.
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

STATE, XTB = "state", "xtb"
NAMES = ("bonds", STATE, "geometry", XTB)
DESCRIPTORS = "descriptors"
CHARGES, UNPAIRED = 3, 3  # larger values count as these


class Sizes(NamedTuple):
    """How many numbers the features have per atom, per pair, per molecule, and as descriptors.

    The descriptors follow the molecule's other numbers. The last `xtb_atoms` numbers of an atom
    and the last `xtb` descriptors are xTB's.
    """

    atoms: int
    pairs: int
    molecule: int
    descriptors: int = 0
    xtb_atoms: int = 0
    xtb: int = 0


class Features(NamedTuple):
    """Features of b molecules of at most n atoms; 0 for padding and for unknown features."""

    atoms: Float[Tensor, "b n fa"]
    pairs: Float[Tensor, "b n n fp"]
    molecule: Float[Tensor, "b fm"]

    def expand(self, copies: int) -> Features:
        """The features of one molecule, repeated for copies of it."""
        return Features(*(each.expand(copies, *each.shape[1:]) for each in self))

    def to(self, where: torch.device | torch.dtype | str) -> Features:
        """The features on another device, or in another dtype."""
        return Features(*(each.to(where) for each in self))


def parse(text: str) -> tuple[str, ...]:
    """The names in "bonds,state", each once; raises InputError for an unknown one."""
    names = tuple(dict.fromkeys(n for n in (part.strip() for part in text.split(",")) if n))
    for name in names:
        if name not in NAMES:
            raise unknown("feature", name, NAMES)
    return names


def sizes(names: Sequence[str], descriptors: int = 0) -> Sizes:
    """The sizes of the named features, with this many descriptors beside xTB's."""
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
    """The named features of molecules on a device, stored as codes of 1 byte per pair of atoms.

    Raises InputError if the molecules lack a feature that cannot be left at 0.
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
            graphs = extras.graphs if extras.graphs and len(extras.graphs.atoms) else None
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
                raise InputError("the feature xtb needs xTB results of the molecules.")
            said = extras.electronic
            arrays = (said.atoms, said.pairs, said.atom_start, said.pair_start)
            self._xtb = [torch.tensor(a).to(device) for a in arrays]
        self._size = torch.tensor(np.diff(ptr)).to(device)
        self._molecule = _of_molecules(extras, n, names).to(device)

    def of(self, index: Int64[Tensor, " b"], n: int) -> Features:
        """The features of the molecules `index`, padded to n atoms."""
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
        """Entries of atoms (b, n, ...) and pairs (b, n, n, ...); 0 where unknown."""
        at, size = torch.arange(n, device=index.device), self._size[index]
        start, first = atom_start[index], pair_start[index]
        known = (at < size[:, None]) & (start >= 0)[:, None]
        of_atoms = atoms[torch.where(known, start[:, None] + at, 0)]
        both: Bool[Tensor, "b n n"] = known[:, :, None] & known[:, None]
        where = first[:, None, None] + at[:, None] * size[:, None, None] + at
        of_pairs = pairs[torch.where(both, where, 0)]
        return _where(known, of_atoms), _where(both, of_pairs)


def _where(known: Tensor, values: Tensor) -> Tensor:
    """The values, with 0 where `known` is False."""
    return values * known.view(*known.shape, *[1] * (values.ndim - known.ndim)).to(values.dtype)


def molecule_numbers(extras: Extras, names: Sequence[str]) -> Float[np.ndarray, "n d"] | None:
    """The numbers of each molecule that a network standardises; None if it takes none.

    These are the descriptors, then xTB's numbers. Raises InputError for missing descriptors.
    """
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
    """The features of whole molecules: state, geometry, descriptors and xTB's numbers."""
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
                "the feature geometry needs molecules whose kinds of geometry are known."
            )
        parts.append(np.eye(len(KINDS), dtype=np.float32)[extras.kinds])
    if (values := molecule_numbers(extras, names)) is not None:
        parts.append(values)
    return torch.tensor(np.concatenate(parts, 1))
