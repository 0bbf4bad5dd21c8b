"""Structures as batches for a network, and values of conformers as those of their molecules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from ..chem.structure import Structure
from ..datasets.batches import Batch

PAIRS = 2**18  # of atoms in a batch: 64 molecules of 64 atoms, and one of 500


def by_size(structures: Sequence[Structure], batch_size: int) -> list[np.ndarray]:
    """The indices of structures in batches, the smallest first."""
    sizes = np.array([len(s.z) for s in structures])
    order, parts = np.argsort(sizes, kind="stable"), []
    while len(order):
        # sizes grow: the last of as many as there is room for is the largest of its batch
        fits = sizes[order[:batch_size]] ** 2 * np.arange(1, len(order[:batch_size]) + 1) <= PAIRS
        count = max(1, int(fits.sum()))
        parts.append(order[:count])
        order = order[count:]
    return parts


def conformers_of(structure: Structure) -> list[Structure]:
    """A structure for each conformer."""
    if structure.others is None:
        return [structure]
    return [replace(structure, pos=p, others=None) for p in (structure.pos, *structure.others)]


def over_conformers(
    mean: np.ndarray, std: np.ndarray, counts: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values (c, t) of all conformers to values (b, t) of the molecules that have `counts`."""
    start, n = np.cumsum(counts) - counts, counts[:, None]
    centre = np.add.reduceat(mean, start) / n
    within = np.sqrt(np.add.reduceat(std**2, start) / n)
    rest = np.add.reduceat((mean - np.repeat(centre, counts, axis=0)) ** 2, start)
    return centre, within, np.where(n > 1, np.sqrt(rest / np.maximum(n - 1, 1)), np.nan)


def pad(structures: Sequence[Structure], center: bool = True) -> Batch:
    """Structures as one padded batch; targets are NaN."""
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
    )
