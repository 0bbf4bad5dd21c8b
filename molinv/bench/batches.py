"""Molecules for measuring speed: batches of a data set as in training, or random ones."""

from __future__ import annotations

from math import pi

import numpy as np
import torch

from ..datasets import load
from ..datasets.batches import Batch, Loader, OnDevice
from ..datasets.split import permutation

# 90 % of the pairs of 18 random atoms are within 5 angstrom, as are 92 % in QM9's molecules
VOLUME = 8.0  # angstrom^3 per atom
ELEMENTS = (1, 6, 7, 8)
BUCKET = 50  # batches that the Loader sorts by size


def real_batches(data: str, size: int, count: int, device: torch.device) -> list[Batch]:
    """`count` batches of `size` molecules as in training, from small to large molecules.

    The trainer sorts 50 batches by size. The batches returned are evenly spaced among 50, so
    padding is as in training. Targets are random numbers. A data set with fewer molecules gives
    fewer batches, or one smaller batch. Raises InputError for an unknown data set.
    """
    molecules = load(data)
    chosen = permutation(len(molecules), 0)[: BUCKET * size]
    y = np.random.default_rng(0).normal(size=(len(chosen), 1))
    store = OnDevice(molecules.take(chosen), y, device)
    batches = list(Loader(store, np.arange(len(chosen)), size, bucket=BUCKET))
    full = [batch for batch in batches if len(batch) == size] or batches
    full.sort(key=lambda batch: int(batch.mask.sum()))
    count = min(count, len(full))
    return [full[(2 * i + 1) * len(full) // (2 * count)] for i in range(count)]


def random_batch(size: int, atoms: int, device: torch.device) -> Batch:
    """`size` molecules of `atoms` atoms each: random points in a ball, about as dense as QM9.

    The elements are H, C, N and O with equal probability. The same arguments give the same
    molecules on any device.
    """
    generator = torch.Generator().manual_seed(atoms)
    radius = (3 * VOLUME * atoms / (4 * pi)) ** (1 / 3)
    direction = torch.randn(size, atoms, 3, generator=generator)
    share = torch.rand(size, atoms, 1, generator=generator) ** (1 / 3)
    pos = torch.nn.functional.normalize(direction, dim=-1) * share * radius
    pick = torch.randint(len(ELEMENTS), (size, atoms), generator=generator)
    y = torch.randn(size, 1, generator=generator, dtype=torch.float64)
    return Batch(pos, torch.tensor(ELEMENTS)[pick], y, torch.arange(size)).to(device)
