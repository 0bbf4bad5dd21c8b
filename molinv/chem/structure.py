"""What every reader yields: a molecule as atoms and coordinates, or the reason why not.

A reader only cuts its file into records, and yields each as `Pending`: the work on one (a
conformer search, a parser) is `finish`, which any process can do.
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
FEW = 64  # atoms
COINCIDENT = 1e-3  # angstrom; no two nuclei are ever this close
FARTHEST = 1e6  # angstrom; float32, in which models run, keeps 0.1 angstrom there
PERIODIC = (
    'periodic structures are not supported: give a molecule, with pbc="F F F" or without Lattice'
)
# kinds of geometry: as the input has it, a conformer search's, or the input's heavy atoms with
# hydrogens that were added
GIVEN, EMBEDDED, HYDROGENS = "given", "embedded", "hydrogens"
KINDS = (GIVEN, EMBEDDED, HYDROGENS)
AHEAD = 100  # atoms; xTB of more is slow, and waits until a model has accepted the molecule
NAMES = ("name", "title", "label")  # keys that ASE's files may have

Coordinates = tuple[np.ndarray, np.ndarray]


# eq=False: comparing two of them would compare arrays, which has no single truth value.
@dataclass(frozen=True, eq=False)
class Structure:
    """One molecule.

    z is (N,) int64, pos (N, 3) float64 in angstrom. `name` is the SMILES, the record's
    title, or the file's stem and a number; `source` is where it came from: "mols.csv:17"
    (a line number in .smi, .csv and .xyz files, a record number in .sdf files) or
    "argument". `kind` says where the coordinates came from: GIVEN, EMBEDDED (a conformer search)
    or HYDROGENS (heavy atoms as given, hydrogens added). `smiles` is the input's SMILES, where it
    had one. `others` (c, N, 3) holds further conformers of the same molecule, where several were
    asked for or given. `charge` is the total charge in e, and `unpaired` the number of unpaired
    electrons; both are None where the input does not say. `graph` is the bond graph, None where
    the input has no bonds. `columns` are the columns of the input that a model asked for, with
    RDKit's descriptors as "rdkit2d", and `descriptors` (d,) the numbers that it takes of them.
    `electronic` is what xTB says of each conformer, where a model asked for it.
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
        """How many conformers there are."""
        return 1 if self.others is None else 1 + len(self.others)

    @property
    def embedded(self) -> bool:
        """Whether a conformer search made the coordinates."""
        return self.kind == EMBEDDED

    @property
    def state(self) -> tuple[int, int]:
        """Charge and unpaired electrons; neutral, with as few as possible, where not said."""
        return state_of(self.z, self.charge, self.unpaired)


class Geometry(NamedTuple):
    """What a reader finds: z (N,), pos (N, 3) or (c, N, 3), and what `Structure` says of them."""

    z: np.ndarray
    pos: np.ndarray
    kind: str = GIVEN
    charge: int | None = None
    unpaired: int | None = None
    graph: Graph | None = None


@dataclass(frozen=True)
class Rejected:
    """A molecule that could not be used; `reason` is one sentence."""

    name: str
    source: str
    reason: str


@dataclass(frozen=True)
class ReadOptions:
    """What a reader may need to know beyond its file."""

    seed: int = 0
    smiles_column: str | None = None
    conformers: int = 1
    descriptors: Descriptors | None = None


# eq=False: what `make` holds may be arrays.
@dataclass(frozen=True, eq=False)
class Pending:
    """A record that was read but not worked on.

    `make` is a partial of a function of a module, so that it can go to another process.
    """

    name: str
    source: str
    make: Callable[[ReadOptions], Structure | Rejected]


Item = Structure | Rejected | Pending


def finish(item: Item, options: ReadOptions) -> Structure | Rejected:
    """The molecule of a record; it depends on the record and the options alone."""
    made = item.make(options) if isinstance(item, Pending) else item
    if not options.descriptors or isinstance(made, Rejected):
        return made
    from .descriptors import computed

    wanted = options.descriptors
    if len(made.z) > AHEAD:
        wanted = replace(wanted, xtb=False)
    return computed(made, wanted)


def name_in(keys: Mapping[str, Any]) -> str:
    """The name that a record's key-value pairs give it, or ""."""
    given = (keys.get(key) for key in NAMES)
    return next((str(v)[:200] for v in given if isinstance(v, str | int | float) and v), "")


def check(z: np.ndarray, pos: np.ndarray) -> None:
    """Refuse atoms and coordinates that no model can use.

    z is (N,) integers, pos (N, 3) in angstrom. Raises InputError for no atoms, other
    shapes, an atomic number outside 1..118, a coordinate that is not finite (or beyond
    1e6 angstrom) and two atoms closer than 1e-3 angstrom; atoms are counted from 1.
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
    near = np.abs(pos) < FARTHEST  # False of NaN
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
    """The smallest distance between two atoms, and which they are."""
    if len(pos) <= FEW:  # all pairs are quicker there than a tree
        vectors = pos[:, None] - pos
        squares = np.einsum("ijk,ijk->ij", vectors, vectors)
        np.fill_diagonal(squares, np.inf)
        atom, other = divmod(int(np.argmin(squares)), len(pos))
        return float(squares[atom, other]) ** 0.5, atom, other
    from scipy.spatial import KDTree

    distance, neighbour = map(np.asarray, KDTree(pos).query(pos, k=2))
    atom = int(np.argmin(distance[:, 1]))
    # Of several atoms in one place, the tree may list an atom as its own second neighbour.
    return distance[atom, 1], atom, next(int(i) for i in neighbour[atom] if i != atom)


def _point(xyz: np.ndarray) -> str:
    return "(" + ", ".join(f"{value:g}" for value in xyz) + ")"


def structure_of(
    name: str, source: str, find: Callable[[], Geometry], smiles: str | None = None
) -> Structure | Rejected:
    """The structure of the geometry that `find()` returns, checked; Rejected on InputError."""
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
