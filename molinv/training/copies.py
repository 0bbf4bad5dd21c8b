"""Several geometries of each molecule: the data's own, RDKit's conformers, RDKit's hydrogens."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from ..chem.structure import EMBEDDED, GIVEN, KINDS
from ..datasets.extras import Graphs
from ..datasets.geometries import bond_graphs, embedded_copies, hydrogens_added_copies
from ..datasets.molecules import Molecules
from ..datasets.ragged import sums
from ..datasets.split import Split
from ..errors import InputError, unknown

if TYPE_CHECKING:
    from .source import Source


class Copies(NamedTuple):
    """Which rows of a set are geometries of the same molecule.

    molecule   the molecule of each row
    rows       the rows of each molecule; -1 where one of the k geometries could not be made
    weight     the relative frequency at which each of the k geometries is drawn
    heavy      the number of heavy atoms of each molecule
    small      molecules with up to this many heavy atoms are drawn `repeat` times in an epoch
    """

    molecule: Int64[np.ndarray, " rows"]
    rows: Int64[np.ndarray, "n k"]
    weight: Float64[np.ndarray, " k"]
    heavy: Int64[np.ndarray, " n"]
    small: int = 0
    repeat: int = 1

    def drawn(
        self, train: Int64[np.ndarray, " m"], seed: int, epoch: int
    ) -> Int64[np.ndarray, " d"]:
        """Draw a row for each molecule of the rows `train`; the draw is keyed by (seed, epoch)."""
        chosen = self.molecule[train]
        chosen = np.repeat(chosen, np.where(self.heavy[chosen] <= self.small, self.repeat, 1))
        stream = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, epoch, 2])))
        # Gumbel-max trick: the argmax of log weight + noise has probability weight
        scores = np.log(self.weight) + stream.gumbel(size=(len(chosen), len(self.weight)))
        rows = self.rows[chosen]
        return rows[np.arange(len(rows)), np.where(rows < 0, -np.inf, scores).argmax(1)]


def geometry_fractions(text: str) -> dict[str, float]:
    """Parse "embedded=0.8,given=0.2" to {"embedded": 0.8, "given": 0.2}; a missing fraction is 1.

    Raises InputError for an unknown or repeated kind, and for a fraction that is not above 0.
    """
    made: dict[str, float] = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        kind, _, fraction = (p.strip() for p in part.partition("="))
        if kind not in KINDS:
            raise unknown("kind of geometries", kind, KINDS)
        if kind in made:
            raise InputError(f"geometries: {kind} is named twice in {text!r}.")
        try:
            made[kind] = float(fraction or 1)
        except ValueError:
            made[kind] = 0.0
        if not 0 < made[kind] < np.inf:
            raise InputError(f"geometries: expected {kind}=0.5 or the like, got {part!r}.")
    return made


def heavy_atoms(molecules: Molecules) -> Int64[np.ndarray, " n"]:
    """The number of atoms of each molecule that are not hydrogen."""
    return sums(molecules.z > 1, molecules.ptr).astype(np.int64)


def with_small(molecules: Molecules, parts: Split, small: int) -> Split:
    """Move all molecules with up to `small` heavy atoms to the training part of a split.

    Raises InputError if another part is then empty.
    """
    few = heavy_atoms(molecules) <= small
    moved = [part[few[part]] for part in (parts.valid, parts.test)]
    rest = [part[~few[part]] for part in (parts.valid, parts.test)]
    if not len(rest[0]) or not len(rest[1]):
        raise InputError(
            f"small {small}: no molecule is left to validate on or to test on; give a smaller "
            "number."
        )
    return Split(np.concatenate([parts.train, *moved]), rest[0], rest[1])


def several(source: Source, wanted: dict[str, float], conformers: int, workers: int) -> Source:
    """Extend a source by further geometries of its molecules.

    `wanted` are the kinds of geometry and their fractions (see `geometry_fractions`); the parts of
    the result have geometries of the first kind. `conformers` is the number of embedded conformers.
    Raises InputError for data with several kinds of geometry, and for a kind that cannot be made
    for any molecule.
    """
    molecules, parts = source.molecules, source.parts
    own = source.kinds[0]
    if len(source.kinds) > 1:
        raise InputError(
            f"some coordinates of the data are {source.kinds[0]}, some {source.kinds[1]}: leave "
            "out geometries and conformers, or train on files of one kind each."
        )
    wanted = wanted or {own: 1.0}
    if conformers > 1 and EMBEDDED not in wanted:
        raise InputError(
            f"conformers {conformers}: the coordinates of the data are {own}; add embedded ones "
            f"with --geometries {own}=0.5,embedded=0.5, or leave conformers out."
        )
    every = np.arange(len(molecules))
    made: list[tuple[str, Molecules, Int64[np.ndarray, " m"], float]] = []
    for kind, fraction in wanted.items():
        if kind == own:
            made.append((kind, molecules, every, fraction))
            numbers = range(1, conformers if kind == EMBEDDED else 1)
        else:
            numbers = range(conformers if kind == EMBEDDED else 1)
        for number in numbers:
            found = _made(kind, molecules, number, workers)
            made.append((kind, *found, fraction))
    total = {k: sum(1 for name, *_ in made if name == k) for k in wanted}
    weight = np.array([fraction / total[kind] for kind, *_, fraction in made])
    index = np.concatenate([which for _, _, which, _ in made])
    rows = np.full((len(molecules), len(made)), -1)
    start = 0
    for column, (_, _, which, _) in enumerate(made):
        rows[which, column] = start + np.arange(len(which))
        start += len(which)
    joined = _joined(molecules, index, [m for _, m, _, _ in made], [k for k, *_ in made])
    first = rows[:, 0]
    moved = [first[part] for part in (parts.train, parts.valid, parts.test)]
    lost = [int((part < 0).sum()) for part in moved]
    notes = list(source.notes)
    if sum(lost):
        notes.append(
            f"RDKit cannot embed {sum(lost):,} of the molecules: {lost[0]:,} to train on, "
            f"{lost[1]:,} to validate on and {lost[2]:,} to test are left out."
        )
    divided = Split(*(part[part >= 0] for part in moved), origin=parts.hash)
    return source._replace(
        molecules=joined,
        parts=divided,
        kinds=(next(iter(wanted)),),
        notes=tuple(notes),
        copies=Copies(index, rows, weight, heavy_atoms(molecules)),
    )


def _made(
    kind: str, molecules: Molecules, number: int, workers: int
) -> tuple[Molecules, Int64[np.ndarray, " m"]]:
    """Another geometry of the molecules, and the indices of the molecules that have one.

    Raises InputError if there is none.
    """
    every = np.arange(len(molecules))
    if kind == EMBEDDED:
        found = embedded_copies(molecules, every, workers, number)
    elif kind == GIVEN:
        raise InputError("the data gives no geometries: leave out given.")
    else:
        found = hydrogens_added_copies(molecules, every)
    if found is None:
        raise InputError(f"geometries: no molecule has one of the kind {kind}: leave out {kind}.")
    return found


def _joined(
    molecules: Molecules,
    index: Int64[np.ndarray, " rows"],
    sets: list[Molecules],
    kinds: list[str],
) -> Molecules:
    """The molecules `index`, with the concatenated atoms and positions of the sets."""
    ends = np.cumsum([0, *(len(m.z) for m in sets)])
    starts = [m.ptr[:-1] + end for m, end in zip(sets, ends, strict=False)]
    sizes = np.cumsum([len(m) for m in sets])
    numbers = np.concatenate(
        [np.full(len(m), KINDS.index(k), np.uint8) for m, k in zip(sets, kinds, strict=True)]
    )
    own, ordered = molecules.extras, None
    graphs: list[Graphs] = []
    for each, kind, rows in zip(sets, kinds, np.split(index, sizes[:-1]), strict=True):
        if (found := each.extras.graphs) is None and kind == GIVEN:
            found = Graphs.of([None] * len(each))
        elif found is None:  # a large set has no graphs; its atoms are in the SMILES's order
            ordered = bond_graphs(molecules) if ordered is None else ordered
            found = ordered.take(rows)
        graphs.append(found)
    return replace(
        molecules,
        z=np.concatenate([m.z for m in sets]),
        pos=np.concatenate([m.pos for m in sets]),
        ptr=np.concatenate([*starts, ends[-1:]]),
        y=molecules.y[index],
        charges=None,
        smiles=molecules.smiles.take(index),
        ids=molecules.ids.take(index),
        extras=replace(own.take(index), graphs=Graphs.joined(graphs), kinds=numbers),
    )
