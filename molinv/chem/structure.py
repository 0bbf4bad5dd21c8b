"""The results of readers: molecules as atoms and coordinates, or the reason for rejecting them.

A reader splits its file into records and yields each as `Pending`. Parsing and the conformer search
are done by `finish`, which can run in any process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import InputError
from .graph import Graph
from .state import settled, state_of

if TYPE_CHECKING:
    from .descriptors import Descriptors
    from .xtb import Electronic

HEAVIEST = 118  # oganesson
FEW = 64  # atoms, up to which all pairs are faster than a tree
COINCIDENT = 1e-3  # angstrom, closer than any two nuclei can be
FARTHEST = 1e6  # angstrom, where float32 (used by models) still resolves 0.1 angstrom
PERIODIC = (
    'periodic structures are not supported: give a molecule, with pbc="F F F" or without Lattice'
)
# kinds of geometry: from the input, from a conformer search, or the input's heavy atoms with
# added hydrogens
GIVEN, EMBEDDED, HYDROGENS = "given", "embedded", "hydrogens"
KINDS = (GIVEN, EMBEDDED, HYDROGENS)
AHEAD = 100  # atoms; for more, xTB is slow and is run only after a model accepts the molecule
NAMES = ("name", "title", "label")  # keys of ASE's files that give a name

Coordinates = tuple[np.ndarray, np.ndarray]


# eq=False, because comparing arrays does not give a single truth value
@dataclass(frozen=True, eq=False)
class Structure:
    """One molecule.

    name         the record's title or the SMILES, else the file's stem and a number
    z            atomic numbers (N,), int64
    pos          coordinates (N, 3) in angstrom, float64
    source       provenance: "mols.csv:17" (a line number for .smi, .csv and .xyz files, a record
                 number for .sdf files) or "argument"
    kind         provenance of the coordinates: GIVEN, EMBEDDED (conformer search) or HYDROGENS
                 (heavy atoms from the input, hydrogens added)
    smiles       the input's SMILES, or None
    others       further conformers (c, N, 3) in angstrom, or None
    charge       total charge in e; None if the input does not give it
    unpaired     number of unpaired electrons; None if the input does not give it
    graph        bond graph; None if the input has no bonds
    columns      columns of the input that a model takes, with RDKit's descriptors as "rdkit2d"
    descriptors  values (d,) that the model takes from `columns`
    electronic   xTB's results for each conformer, if a model takes them
    """

    name: str
    z: np.ndarray
    pos: np.ndarray
    source: str
    kind: str
    smiles: str | None = None
    others: np.ndarray | None = None
    charge: int | None = None
    unpaired: int | None = None
    graph: Graph | None = None
    columns: Mapping[str, Any] | None = None
    descriptors: np.ndarray | None = None
    electronic: tuple[Electronic, ...] | None = None

    @property
    def conformers(self) -> int:
        """The number of conformers."""
        return 1 if self.others is None else 1 + len(self.others)

    @property
    def embedded(self) -> bool:
        """Whether the coordinates come from a conformer search."""
        return self.kind == EMBEDDED

    @property
    def state(self) -> tuple[int, int]:
        """Charge and unpaired electrons; by default neutral, with as few as possible."""
        return state_of(self.z, self.charge, self.unpaired)


class Geometry(NamedTuple):
    """The result of parsing a record: z (N,), pos (N, 3) or (c, N, 3); see `Structure`."""

    z: np.ndarray
    pos: np.ndarray
    kind: str = GIVEN
    charge: int | None = None
    unpaired: int | None = None
    graph: Graph | None = None


@dataclass(frozen=True)
class Rejected:
    """A molecule that cannot be used, with the `reason` in one sentence."""

    name: str
    source: str
    reason: str


@dataclass(frozen=True)
class ReadOptions:
    """Options of all readers: see `readers.read`."""

    seed: int = 0
    smiles_column: str | None = None
    conformers: int = 1
    descriptors: Descriptors | None = None


# eq=False, because `make` may hold arrays
@dataclass(frozen=True, eq=False)
class Pending:
    """A record that is not parsed yet.

    `make` is a partial of a module's function, so that it can be sent to another process.
    """

    name: str
    source: str
    make: Callable[[ReadOptions], Structure | Rejected]


Item = Structure | Rejected | Pending


def finish(item: Item, options: ReadOptions) -> Structure | Rejected:
    """The molecule of a record; it depends only on the record and the options."""
    made = item.make(options) if isinstance(item, Pending) else item
    if not options.descriptors or isinstance(made, Rejected):
        return made
    from .descriptors import computed

    wanted = options.descriptors
    if len(made.z) > AHEAD:
        wanted = replace(wanted, xtb=False)
    return computed(made, wanted)


def name_in(keys: Mapping[str, Any]) -> str:
    """The name in a record's key-value pairs, or ""."""
    given = (keys.get(key) for key in NAMES)
    return next((str(v)[:200] for v in given if isinstance(v, str | int | float) and v), "")


def check(z: np.ndarray, pos: np.ndarray) -> None:
    """Raise InputError for atoms and coordinates that no model can use.

    z is (N,) integers, pos (N, 3) in angstrom. Refused are other shapes, no atoms, atomic
    numbers outside 1 to 118, coordinates that are not finite or beyond 1e6 angstrom, and two
    atoms closer than 1e-3 angstrom. Messages count atoms from 1.
    """
    z, pos = np.asarray(z), np.asarray(pos)
    if z.ndim != 1 or pos.shape != (len(z), 3):
        raise InputError(
            f"expected z (N,) and pos (N, 3), got {z.shape} and {pos.shape}: "
            "give one element and three coordinates for each atom"
        )
    if len(z) == 0:
        raise InputError("expected at least one atom, got none: remove the empty record")
    if z.dtype.kind not in "iu":
        raise InputError(f"expected atomic numbers as integers, got {z.dtype}: convert z first")
    if z.min() < 1 or z.max() > HEAVIEST:
        odd = np.flatnonzero((z < 1) | (z > HEAVIEST))
        raise InputError(
            f"atom {odd[0] + 1} has no known element (atomic number {z[odd[0]]}): "
            f"expected 1 to {HEAVIEST}"
        )
    near = np.abs(pos) < FARTHEST  # false for NaN as well
    if not near.all():
        atom = int(np.argmin(near.all(axis=1)))
        raise InputError(
            f"atom {atom + 1} is at {_point(pos[atom])}: expected finite coordinates in angstrom"
        )
    _check_distances(pos)


def _check_distances(pos: np.ndarray) -> None:
    if len(pos) < 2:
        return
    distance, atom, other = _nearest(pos)
    if distance < COINCIDENT:
        first, second = sorted((atom + 1, other + 1))
        raise InputError(
            f"atoms {first} and {second} coincide at {_point(pos[atom])}: "
            "expected every atom in its own place, so check the coordinates"
        )


def _nearest(pos: np.ndarray) -> tuple[float, int, int]:
    """The smallest distance between two atoms, and their indices."""
    if len(pos) <= FEW:
        vectors = pos[:, None] - pos
        squares = np.einsum("ijk,ijk->ij", vectors, vectors)
        np.fill_diagonal(squares, np.inf)
        atom, other = divmod(int(np.argmin(squares)), len(pos))
        return float(squares[atom, other]) ** 0.5, atom, other
    from scipy.spatial import KDTree

    distance, neighbour = map(np.asarray, KDTree(pos).query(pos, k=2))
    atom = int(np.argmin(distance[:, 1]))
    # if several atoms coincide, the tree may list an atom as its own second neighbour
    return distance[atom, 1], atom, next(int(i) for i in neighbour[atom] if i != atom)


def _point(xyz: np.ndarray) -> str:
    return "(" + ", ".join(f"{value:g}" for value in xyz) + ")"


def structure_of(
    name: str, source: str, find: Callable[[], Geometry], smiles: str | None = None
) -> Structure | Rejected:
    """The structure of the geometry that `find()` returns; Rejected if it raises InputError.

    Also Rejected if the geometry fails `check`, or its charge and unpaired electrons `settled`.
    """
    try:
        found = find()
        first, *others = found.pos if np.ndim(found.pos) == 3 else [found.pos]
        for conformer in (first, *others):
            check(found.z, conformer)
        z = np.asarray(found.z, dtype=np.int64)
        state = settled(z, found.charge, found.unpaired)
    except InputError as error:
        return Rejected(name, source, str(error))
    first = np.asarray(first, dtype=np.float64)
    rest = np.asarray(others, dtype=np.float64) if others else None
    return Structure(name, z, first, source, found.kind, smiles, rest, *state, found.graph)
