"""Batches and the loader: every molecule once, little padding, equal steps on every rank."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from molinv.datasets.batches import Loader, OnDevice
from molinv.errors import InputError

TARGETS = ["U0", "homo"]


@pytest.fixture(scope="module")
def store(sample):
    return OnDevice(sample, sample.select(TARGETS), "cpu")


def indices_of(loader) -> list[int]:
    return [i for batch in loader for i in batch.index.tolist()]


def test_a_batch_holds_the_molecules_asked_for(sample, store):
    asked = np.array([5, 999, 0, 5])
    batch = store.gather(asked)
    assert len(batch) == 4
    assert batch.pos.shape == (4, sample.sizes[asked].max(), 3)
    assert batch.pos.dtype == torch.float32
    assert batch.z.dtype == batch.index.dtype == torch.int64
    assert batch.index.tolist() == asked.tolist()
    assert batch.y.dtype == torch.float64
    np.testing.assert_array_equal(batch.y, sample.select(TARGETS)[asked])
    assert batch.mask.sum(1).tolist() == sample.sizes[asked].tolist()
    for row, i in enumerate(asked):
        z, _ = sample.molecule(i)
        assert batch.z[row, : len(z)].tolist() == z.tolist()
    moved = batch.to("cpu")
    assert torch.equal(moved.pos, batch.pos)
    assert torch.equal(moved.y, batch.y)


@pytest.mark.parametrize("asked", [[], [-1], [1000]])
def test_indices_that_do_not_exist_are_refused(store, asked):
    with pytest.raises(InputError, match="indices from 0 to 999"):
        store.gather(np.array(asked, np.int64))


def test_y_must_have_one_row_per_molecule(sample):
    with pytest.raises(InputError, match="expected y"):
        OnDevice(sample, sample.select(TARGETS)[:-1], "cpu")


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("world", [1, 2, 3, 8])
@pytest.mark.parametrize(("count", "size"), [(800, 64), (801, 8), (641, 64), (10, 64), (64, 64)])
def test_every_molecule_once_and_as_many_batches_on_every_rank(store, count, size, world, shuffle):
    chosen = np.random.default_rng(0).permutation(1000)[:count]
    loaders = [
        Loader(store, chosen, size, seed=1, shuffle=shuffle, rank=rank, world=world, bucket=2)
        for rank in range(world)
    ]
    seen, lengths = [], set()
    for loader in loaders:
        batches = list(loader)
        assert len(batches) == len(loader)
        assert max(len(b) for b in batches) <= -(-size // world) + 1
        lengths.add(len(batches))
        seen += [i for b in batches for i in b.index.tolist()]
    assert len(lengths) == 1
    assert sorted(seen) == sorted(chosen.tolist())


def test_order_is_keyed_by_seed_and_epoch(store):
    chosen = np.arange(1000)
    first = indices_of(Loader(store, chosen, 64, seed=1, epoch=0))
    assert first == indices_of(Loader(store, chosen, 64, seed=1, epoch=0))
    assert first != indices_of(Loader(store, chosen, 64, seed=1, epoch=1))
    assert first != indices_of(Loader(store, chosen, 64, seed=2, epoch=0))


def test_one_loader_gives_the_same_epoch_twice(store):
    loader = Loader(store, np.arange(200), 16, seed=1)
    assert indices_of(loader) == indices_of(loader)


def test_shuffling_mixes_molecules_and_batches(sample, store):
    chosen = np.arange(1000)
    epochs = [list(Loader(store, chosen, 20, epoch=e, bucket=10)) for e in range(2)]
    together = [{frozenset(b.index.tolist()) for b in epoch} for epoch in epochs]
    assert not together[0] & together[1]
    first_chunk_mates = np.concatenate([b.index for b in epochs[0][:10]])
    assert first_chunk_mates.max() > 500


def test_sizes_are_sorted_within_a_bucket_and_batches_shuffled(sample, store):
    def sizes_per_batch(bucket):
        loader = Loader(store, np.arange(1000), 20, bucket=bucket)
        return [sample.sizes[b.index.numpy()] for b in loader]

    assert np.mean([len(set(sizes)) for sizes in sizes_per_batch(1)]) > 5
    sorted_once = sizes_per_batch(50)
    assert np.mean([len(set(sizes)) for sizes in sorted_once]) < 2
    largest = np.diff([sizes.max() for sizes in sorted_once])
    assert (largest < 0).sum() > 10
    assert (largest > 0).sum() > 10


def test_evaluation_goes_from_large_to_small(sample, store):
    order = indices_of(Loader(store, np.arange(1000), 64, shuffle=False))
    assert (np.diff(sample.sizes[order]) <= 0).all()


@pytest.mark.parametrize("shuffle", [True, False])
def test_padding_stays_under_a_tenth(store, shuffle):
    atoms = slots = 0
    for batch in Loader(store, np.arange(1000), 64, shuffle=shuffle):
        atoms += int(batch.mask.sum())
        slots += batch.z.numel()
    assert 1 - atoms / slots < 0.10


@pytest.mark.parametrize(
    ("count", "size", "more"),
    [
        (0, 64, {}),
        (10, 0, {}),
        (10, 4, {"rank": 2, "world": 2}),
        (10, 4, {"rank": -1, "world": 2}),
        (10, 4, {"world": 8}),
        (3, 64, {"world": 4}),
        (10, 4, {"bucket": 0}),
    ],
)
def test_invalid_loader_settings_are_refused(store, count, size, more):
    with pytest.raises(InputError, match="expected a"):
        Loader(store, np.arange(count), size, **more)


def test_no_float64_is_asked_of_a_device_without_it():
    from molinv.datasets.batches import wide
    from molinv.datasets.references import Standardizer
    from molinv.datasets.targets import Target

    values = torch.zeros(3, dtype=torch.float64)
    assert wide(values, torch.device("mps")) is values
    assert wide(values, "meta").device.type == "meta"
    made = Standardizer([Target("x", "eV")])
    # `.to("mps")` calls this function on a probe tensor, and then on each buffer
    asked = []

    def move(t):
        asked.append(t.dtype)
        return type("There", (), {"device": torch.device("mps")})()

    made._apply(move)  # pyright: ignore[reportArgumentType]
    assert asked == [torch.float32]
    assert made.mean.device.type == "cpu"
