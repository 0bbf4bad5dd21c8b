"""Inputs of a model beside positions and elements, as tensors for padded batches.

Names that a run may ask for, as in `--features bonds,state`:

    bonds     the bond graph: of atoms formal charge, aromaticity, hybridisation, smallest ring,
              chirality, hydrogens, neighbours; of pairs bonds between them, type, conjugation, ring
    state     the molecule's total charge and its number of unpaired electrons
    geometry  whether its coordinates were given, embedded by RDKit, or given but for hydrogens

What is not known of a molecule is 0 throughout: one network serves files with bonds and without.
DESCRIPTORS stands for those that `--descriptors` names, the last numbers of a molecule.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from ..chem.graph import ATOM, ATOM_SIZE, PAIR_SIZE, atom_table, pair_table
from ..chem.structure import KINDS
from ..errors import InputError, unknown
from .extras import Extras

NAMES = ("bonds", "state", "geometry")
DESCRIPTORS = "descriptors"
CHARGES, UNPAIRED = 3, 3  # beyond these counted as these


class Sizes(NamedTuple):
    """Numbers for each atom, each pair of atoms and each molecule, and descriptors after these."""

    atoms: int
    pairs: int
    molecule: int
    descriptors: int = 0


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
    return Sizes(ATOM_SIZE * bonds, PAIR_SIZE * bonds, molecule, descriptors)


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
        self._size = torch.tensor(np.diff(ptr)).to(device)
        self._molecule = _of_molecules(extras, n, names).to(device)

    def of(self, index: Int64[Tensor, " b"], n: int) -> Features:
        """Those of the molecules `index`, padded to n atoms."""
        b, size = len(index), self._size[index]
        if not self.bonds:
            zeros = self._molecule.new_zeros
            return Features(zeros(b, n, 0), zeros(b, n, n, 0), self._molecule[index])
        at = torch.arange(n, device=index.device)
        start, first = (s[index] for s in self._starts)
        known = (at < size[:, None]) & (start >= 0)[:, None]
        codes = self._atoms[torch.where(known, start[:, None] + at, 0)].long()
        codes = codes.masked_fill(~known[..., None], 0)
        atoms = torch.cat([t[codes[..., k]] for k, t in enumerate(self._atom_tables)], -1)
        both: Bool[Tensor, "b n n"] = known[:, :, None] & known[:, None]
        where = first[:, None, None] + at[:, None] * size[:, None, None] + at
        pairs = self._pairs[torch.where(both, where, 0)].long().masked_fill(~both, 0)
        return Features(atoms, self._pair_table[pairs], self._molecule[index])


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
    if DESCRIPTORS in names:
        if extras.descriptors is None:
            raise InputError(
                "the model takes descriptors, which these molecules lack: see `Predictor.usable`."
            )
        parts.append(extras.descriptors)
    return torch.tensor(np.concatenate(parts, 1))
