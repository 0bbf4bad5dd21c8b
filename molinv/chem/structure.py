"""What every reader yields: a molecule as atoms and coordinates, or the reason why not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from molinv.errors import InputError

HEAVIEST = 118  # oganesson
COINCIDENT = 1e-3  # angstrom; no two nuclei are ever this close
FARTHEST = 1e6  # angstrom; float32, in which models run, keeps 0.1 angstrom there

Coordinates = tuple[np.ndarray, np.ndarray]


# eq=False: comparing two of them would compare arrays, which has no single truth value.
@dataclass(frozen=True, eq=False)
class Structure:
    """One molecule.

    z is (N,) int64, pos (N, 3) float64 in angstrom. `name` is the SMILES, the record's
    title, or the file's stem and a number; `source` is where it came from: "mols.csv:17"
    (a line number in .smi, .csv and .xyz files, a record number in .sdf files) or
    "argument". `embedded` says that the coordinates came from a conformer search;
    `smiles` is the SMILES as it was written, where the input was one.
    """

    name: str
    z: np.ndarray
    pos: np.ndarray
    source: str
    embedded: bool
    smiles: str | None = None


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
    if (odd := np.flatnonzero((z < 1) | (z > HEAVIEST))).size:
        raise InputError(
            f"atom {odd[0] + 1} has no known element (atomic number {z[odd[0]]}): "
            f"expected 1 to {HEAVIEST}"
        )
    bad = ~(np.isfinite(pos) & (np.abs(pos) < FARTHEST)).all(axis=1)
    if bad.any():
        atom = int(np.argmax(bad))
        raise InputError(
            f"atom {atom + 1} is at {_point(pos[atom])}: expected finite coordinates in angstrom"
        )
    _check_distances(pos)


def _check_distances(pos: np.ndarray) -> None:
    from scipy.spatial import KDTree

    if len(pos) < 2:
        return
    distance, neighbour = map(np.asarray, KDTree(pos).query(pos, k=2))
    atom = int(np.argmin(distance[:, 1]))
    if distance[atom, 1] < COINCIDENT:
        # Of several atoms in one place, the tree may list an atom as its own second neighbour.
        other = next(int(i) for i in neighbour[atom] if i != atom)
        first, second = sorted((atom + 1, other + 1))
        raise InputError(
            f"atoms {first} and {second} coincide at {_point(pos[atom])}: "
            "expected every atom in its own place, so check the coordinates"
        )


def _point(xyz: np.ndarray) -> str:
    return "(" + ", ".join(f"{value:g}" for value in xyz) + ")"


def build(
    name: str,
    source: str,
    coordinates: Callable[[], Coordinates],
    *,
    embedded: bool,
    smiles: str | None = None,
) -> Structure | Rejected:
    """The structure whose (z, pos) `coordinates()` returns, checked; Rejected on InputError."""
    try:
        z, pos = coordinates()
        check(z, pos)
    except InputError as error:
        return Rejected(name, source, str(error))
    z, pos = np.asarray(z, dtype=np.int64), np.asarray(pos, dtype=np.float64)
    return Structure(name, z, pos, source, embedded, smiles)
