"""Padded batches, gathered on the device where the network runs.

The whole data set lives there as flat tensors (QM9 is 60 MB), so that a batch is three
indexing operations and no worker process, copy or Python loop over molecules is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64, Int64
from torch import Tensor

from ..errors import InputError
from .features import Features, FeatureStore
from .kinds import SHAPES
from .molecules import Molecules
from .placement import place, turn


@dataclass(eq=False)
class Batch:
    """b molecules of at most n atoms; padding has z = 0 and pos = 0.

    pos        in angstrom
    y          in the targets' units; float64, because total energies are large. Shapes: numbers
               (b, t), vectors (b, t, 3), tensors (b, t, 3, 3), values of atoms (b, t, n) or
               (b, t, n, 3), NaN for padding
    index      the indices of the molecules in their `Molecules`
    forces     the negative gradient of an energy y, if the task learns it; NaN for padding
    features   further inputs, if the model takes some
    auxiliary  a numbers of each atom that are learned beside y, if any; NaN for padding
    """

    pos: Float32[Tensor, "b n 3"]
    z: Int64[Tensor, "b n"]
    y: Float64[Tensor, "b t *e"]
    index: Int64[Tensor, " b"]
    forces: Float64[Tensor, "b n 3"] | None = None
    features: Features | None = None
    auxiliary: Float64[Tensor, "b a n"] | None = None

    @property
    def mask(self) -> Bool[Tensor, "b n"]:
        """True where there is an atom."""
        return self.z > 0

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on another device."""
        return self._each(lambda tensor: wide(tensor, device))

    def rows(self, chosen: slice) -> Batch:
        """A batch of the chosen molecules."""
        return self._each(lambda tensor: tensor[chosen])

    def _each(self, change: Callable[[Tensor], Tensor]) -> Batch:
        given = (self.pos, self.z, self.y, self.index, self.forces)
        beside = None if self.auxiliary is None else change(self.auxiliary)
        features = None if self.features is None else Features(*map(change, self.features))
        return Batch(
            *(None if tensor is None else change(tensor) for tensor in given),  # pyright: ignore[reportArgumentType]
            features=features,
            auxiliary=beside,
        )

    def __len__(self) -> int:
        return len(self.index)


def wide(values: Tensor, device: torch.device | str) -> Tensor:
    """Values on a device; float64 values stay on the CPU if the device has no float64 (MPS)."""
    stay = values.dtype == torch.float64 and torch.device(device).type == "mps"
    return values if stay else values.to(device)


class OnDevice:
    """Molecules and their targets as flat tensors on `device`.

    Each molecule is placed once, when this is constructed, so it has the same orientation and
    position in every epoch.

    y          (n, t, *e), or (atoms, t, *e) for a `kind` with a value for each atom
    center     move each centroid to the origin
    shift      add a normal vector with this standard deviation (angstrom, per coordinate)
    seed       rotations and shifts are keyed by (seed, molecule)
    rotate     turn each molecule about its centroid by a Haar-random rotation; vectors and
               tensors turn with their molecule
    kind       the kind of the targets (see `kinds`)
    forces     (atoms, 3)
    features   names of further inputs (see `features`)
    auxiliary  (atoms, a) numbers of the atoms beside y

    Raises InputError if y does not have one row per molecule, or per atom.
    """

    def __init__(
        self,
        molecules: Molecules,
        y: Float64[np.ndarray, "rows t *e"],
        device: torch.device | str,
        center: bool = True,
        shift: float = 0.0,
        seed: int = 0,
        rotate: bool = False,
        kind: str = "scalar",
        forces: Float64[np.ndarray, "atoms 3"] | None = None,
        features: Sequence[str] = (),
        auxiliary: Float64[np.ndarray, "atoms a"] | None = None,
    ):
        self.by_atom, shape = kind.startswith("atom"), SHAPES[kind]
        rows = len(molecules.z) if self.by_atom else len(molecules)
        if y.ndim < 2 or len(y) != rows or y.shape[2:] != shape:
            expected = ", ".join(map(str, (rows, "targets", *shape)))
            raise InputError(f"expected y ({expected}), got {tuple(y.shape)}.")
        # torch.tensor copies: a memory map is read-only, and a tensor cannot be
        ptr = torch.tensor(molecules.ptr)
        pos = place(torch.tensor(molecules.pos), ptr, center, rotate, shift, seed)
        self.device = torch.device(device)
        self.sizes = molecules.sizes
        self._start, self._size = ptr[:-1].to(device), ptr.diff().to(device)
        self._z, self._pos = torch.tensor(molecules.z).to(device), pos.to(device)
        values = torch.tensor(y, dtype=torch.float64)
        slopes = None if forces is None else torch.tensor(forces, dtype=torch.float64)
        if rotate:
            values = turn(values, kind, ptr, seed)
            slopes = None if slopes is None else turn(slopes, "atom vector", ptr, seed)
        self._y = wide(values, device)
        self._forces = None if slopes is None else wide(slopes, device)
        beside = None if auxiliary is None else torch.tensor(auxiliary, dtype=torch.float64)
        self._auxiliary = None if beside is None else wide(beside, device)
        self._features = (
            FeatureStore(molecules.extras, molecules.ptr, features, device) if features else None
        )

    def gather(self, indices: Int64[np.ndarray, " b"]) -> Batch:
        """The molecules `indices` in that order, padded to the largest of them.

        Raises InputError if `indices` is empty or out of range.
        """
        if len(indices) == 0 or indices.min() < 0 or indices.max() >= len(self.sizes):
            raise InputError(f"expected indices from 0 to {len(self.sizes) - 1}, at least one.")
        place_of = torch.arange(int(self.sizes[indices].max()), device=self.device)
        index = torch.tensor(indices).to(self.device, non_blocking=True)
        inside = place_of < self._size[index, None]
        atoms = (self._start[index, None] + place_of).masked_fill(~inside, 0)
        outside = ~inside[..., None]
        of = self._y.device  # not self.device: float64 values may have stayed on the CPU
        at, there = atoms.to(of), inside.to(of)
        y = _of_atoms(self._y, at, there) if self.by_atom else self._y[index.to(of)]
        forces, store, beside = self._forces, self._features, self._auxiliary
        return Batch(
            pos=self._pos[atoms].masked_fill(outside, 0.0),
            z=self._z[atoms].long().masked_fill(~inside, 0),
            y=y,
            index=index,
            forces=None if forces is None else forces[at].masked_fill(~there[..., None], torch.nan),
            features=None if store is None else store.of(index, len(place_of)),
            auxiliary=None if beside is None else _of_atoms(beside, at, there),
        )

    def features_of(
        self, rows: Int64[np.ndarray, " m"]
    ) -> Callable[[Int64[Tensor, " b"], int], Features] | None:
        """A function (index, n) -> features of the molecules rows[index], padded to n atoms.

        None if batches have no features.
        """
        store, places = self._features, torch.tensor(rows).to(self.device)
        return None if store is None else lambda index, n: store.of(places[index], n)


def _of_atoms(
    values: Float64[Tensor, "atoms t *e"], at: Int64[Tensor, "b n"], inside: Bool[Tensor, "b n"]
) -> Float64[Tensor, "b t n *e"]:
    y = values[at].movedim(2, 1)
    outside = ~inside.view(len(inside), 1, -1, *[1] * (y.ndim - 3))
    return y.masked_fill(outside, torch.nan)


B_co = TypeVar("B_co", covariant=True)


class Store(Protocol[B_co]):
    """The data of a Loader: the size of each example, and batches by index."""

    sizes: Int64[np.ndarray, " n"]

    def gather(self, indices: Int64[np.ndarray, " b"]) -> B_co:
        """The examples `indices` in that order, on the device."""
        ...


class Loader(Generic[B_co]):
    """The batches of one epoch; each of `indices` occurs exactly once over all ranks.

    With `shuffle`, the order of the molecules is keyed by (seed, epoch). Molecules are sorted by
    size within groups of `bucket` batches, to reduce padding, and the batches are shuffled.
    Without it, for evaluation, the largest molecules come first; `Batch.index` identifies them.

    `batch_size` counts all ranks together, so that a run takes the same steps on any
    number of devices: each rank gets every `world`-th molecule of each batch. A last batch that is
    too small to give every rank one molecule is joined to the batch before it. Dropping it would
    lose molecules, and ranks with unequal numbers of batches would wait for each other forever.
    `start` skips that many batches of an epoch that is resumed; `len` still counts all of them.

    Raises InputError if `batch_size` or `indices` cannot give every rank an example.
    """

    def __init__(
        self,
        store: Store[B_co],
        indices: Int64[np.ndarray, " m"],
        batch_size: int,
        seed: int = 0,
        epoch: int = 0,
        shuffle: bool = True,
        rank: int = 0,
        world: int = 1,
        bucket: int = 50,
        start: int = 0,
    ):
        if not 0 <= rank < world:
            raise InputError(f"expected a rank from 0 to {world - 1}, got {rank}.")
        if bucket < 1 or not world <= min(batch_size, len(indices)):
            raise InputError(
                f"expected a batch_size and a number of examples of at least {world} (one per "
                f"rank) and bucket >= 1, got {batch_size}, {len(indices)} and {bucket}."
            )
        self.store, self.indices, self.batch_size = store, np.asarray(indices), batch_size
        self.seed, self.epoch, self.shuffle = seed, epoch, shuffle
        self.rank, self.world, self.bucket, self.start = rank, world, bucket, start

    def __len__(self) -> int:
        full, rest = divmod(len(self.indices), self.batch_size)
        return full + (rest >= self.world)

    def __iter__(self) -> Iterator[B_co]:
        order, steps = self._order(), np.arange(len(self))
        if self.shuffle:
            steps = steps[torch.randperm(len(steps), generator=self._generator(1)).numpy()]
        for step in steps[self.start :]:
            end = None if step == len(self) - 1 else (step + 1) * self.batch_size
            batch = order[step * self.batch_size : end]
            yield self.store.gather(batch[self.rank :: self.world])

    def _order(self) -> Int64[np.ndarray, " m"]:
        """The molecules in the order in which they are cut into batches."""
        if not self.shuffle:
            return self.indices[np.argsort(-self.store.sizes[self.indices], kind="stable")]
        drawn = torch.randperm(len(self.indices), generator=self._generator(0)).numpy()
        order = self.indices[drawn]
        chunk = np.arange(len(order)) // (self.bucket * self.batch_size)
        return order[np.lexsort((self.store.sizes[order], chunk))]

    def _generator(self, stream: int) -> torch.Generator:
        """A separate generator for every (seed, epoch, stream)."""
        key = np.random.SeedSequence([self.seed, self.epoch, stream]).generate_state(1, np.uint64)
        return torch.Generator().manual_seed(int(key[0] >> np.uint64(1)))
