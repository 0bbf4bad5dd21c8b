"""Batches of structures for a network, and averages over the conformers of a molecule."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64

from ..augment import Augmented
from ..chem.structure import KINDS, Structure
from ..datasets.batches import Batch, OnDevice
from ..datasets.extras import Electronics, Extras, Graphs
from ..datasets.features import DESCRIPTORS, XTB, Features, FeatureStore
from ..datasets.ragged import pointers
from ..errors import InputError
from ..training.saved import Saved

PAIRS = 2**18  # most pairs of atoms per batch on an accelerator, as in a molecule of 500 atoms
CPU_PAIRS = 2**14  # on a CPU: batches of 50 are fastest for QM9's molecules


def device_of(network: Augmented) -> torch.device:
    """The device of a network."""
    return network.distribution.group.generators.device


def has_double(device: torch.device) -> bool:
    """Whether a device supports float64, the precision of data sets."""
    return device.type != "mps"


def budget(device: torch.device) -> int:
    """Maximum number of atom pairs per batch, padding included."""
    return CPU_PAIRS if device.type == "cpu" else PAIRS


def by_size(
    structures: Sequence[Structure], batch_size: int | None = None, pairs: int = PAIRS
) -> list[Int64[np.ndarray, " b"]]:
    """Indices of structures in batches, smallest structures first.

    A batch has at most `pairs` pairs of atoms, padding included, and at most `batch_size`
    structures. A larger structure has a batch of its own.
    """
    return by_sizes(np.array([len(s.z) for s in structures]), pairs, batch_size)


def by_sizes(
    sizes: Int64[np.ndarray, " m"], pairs: int, most: int | None = None
) -> list[Int64[np.ndarray, " b"]]:
    """`by_size` for molecules given by their numbers of atoms (m,)."""
    order, parts = np.argsort(sizes, kind="stable"), []
    while len(order):
        # sizes are sorted, so the last molecule of a batch is its largest
        first = order[: min(most or pairs, pairs)]
        fits = sizes[first] ** 2 * np.arange(1, len(first) + 1) <= pairs
        count = max(1, int(fits.sum()))
        parts.append(order[:count])
        order = order[count:]
    return parts


def stored(
    store: OnDevice, chosen: Int64[np.ndarray, " m"], device: torch.device
) -> tuple[Iterator[Batch], list[Int64[np.ndarray, " b"]]]:
    """The chosen molecules in batches, and the positions of each batch's molecules in `chosen`."""
    parts = by_sizes(store.sizes[chosen], budget(device))
    return (store.gather(chosen[part]) for part in parts), parts


def inputs(network: Augmented, batch: Batch) -> tuple[Any, ...]:
    """The arguments of the model for a batch, on the model's device."""
    device = device_of(network)
    features = None if batch.features is None else batch.features.to(device)
    moved = replace(batch, pos=batch.pos.to(device), z=batch.z.to(device), features=features)
    return network.model.inputs(moved)  # pyright: ignore[reportCallIssue]


def conformers_of(structure: Structure) -> list[Structure]:
    """One structure per conformer."""
    if structure.others is None:
        return [structure]
    places = (structure.pos, *structure.others)
    said = structure.electronic or [None] * len(places)
    return [
        replace(structure, pos=p, others=None, electronic=None if e is None else (e,))
        for p, e in zip(places, said, strict=True)
    ]


def over_conformers(
    mean: np.ndarray, std: np.ndarray, counts: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Average the values (c, t, ...) of all conformers into values of m molecules.

    `counts` (m,) holds the number of conformers of each molecule. Returns the mean, the root mean
    square of `std`, and the standard deviation over conformers (NaN for a single one), all
    (m, t, ...).
    """
    start, n = np.cumsum(counts) - counts, counts.reshape(-1, *[1] * (mean.ndim - 1))
    centre = np.add.reduceat(mean, start) / n
    within = np.sqrt(np.add.reduceat(std**2, start) / n)
    rest = np.add.reduceat((mean - np.repeat(centre, counts, axis=0)) ** 2, start)
    return centre, within, np.where(n > 1, np.sqrt(rest / np.maximum(n - 1, 1)), np.nan)


def pad(
    structures: Sequence[Structure], center: bool = True, features: Sequence[str] = ()
) -> Batch:
    """One padded batch of structures, with the named features and NaN targets.

    Positions are in angstrom; `center` subtracts each structure's mean position.
    """
    b, n = len(structures), max(len(s.z) for s in structures)
    pos, z = np.zeros((b, n, 3), np.float32), np.zeros((b, n), np.int64)
    for i, s in enumerate(structures):
        origin = s.pos.mean(0) if center else 0.0
        pos[i, : len(s.z)], z[i, : len(s.z)] = s.pos - origin, s.z
    return Batch(
        torch.from_numpy(pos),
        torch.from_numpy(z),
        torch.full((b, 1), torch.nan, dtype=torch.float64),
        torch.arange(b),
        features=features_of(structures, features) if features else None,
    )


def features_of(structures: Sequence[Structure], names: Sequence[str]) -> Features:
    """The named features of structures, padded to the largest structure."""
    most = max(len(s.z) for s in structures)
    return feature_store(structures, names).of(torch.arange(len(structures)), most)


def feature_store(structures: Sequence[Structure], names: Sequence[str]) -> FeatureStore:
    """A store of the named features of structures, from which batches are gathered."""
    sizes = np.array([len(s.z) for s in structures])
    extras = Extras(
        Graphs.of([s.graph for s in structures]),
        np.array([KINDS.index(s.kind) for s in structures], np.uint8),
        np.array([s.state for s in structures], np.int8),
        _descriptors(structures) if DESCRIPTORS in names else None,
        _electronics(structures) if XTB in names else None,
    )
    return FeatureStore(extras, pointers(sizes), names, "cpu")


def _electronics(structures: Sequence[Structure]) -> Electronics:
    said = [s.electronic[0] for s in structures if s.electronic is not None]
    if len(said) < len(structures):
        raise InputError(
            "the model needs xTB features, which are missing: use `molinv predict` or Predictor, "
            "which compute them."
        )
    return Electronics.of(said)


def _descriptors(structures: Sequence[Structure]) -> np.ndarray:
    values = [s.descriptors for s in structures if s.descriptors is not None]
    if len(values) < len(structures):
        raise InputError(
            "the model needs descriptors, which are missing: use `molinv predict` or Predictor, "
            "which compute them."
        )
    return np.stack(values).astype(np.float32)


def asked(saved: Saved) -> Sequence[str]:
    """The names of the features that a saved model takes."""
    return saved.card["build"].get("features", ())
