"""Splits: disjoint, complete, seeded, and the same in every version."""

from __future__ import annotations

import numpy as np
import pytest

from molinv.datasets.split import Split, permutation, split
from molinv.errors import InputError


@pytest.mark.parametrize("n", [10, 11, 99, 1000, 130_831])
def test_every_molecule_is_in_one_part(n):
    parts = split(n, seed=3)
    together = np.concatenate([parts.train, parts.valid, parts.test])
    assert together.dtype == np.int64
    assert np.array_equal(np.sort(together), np.arange(n))
    assert min(len(parts.train), len(parts.valid), len(parts.test)) > 0


def test_the_customary_sizes():
    parts = split(130_831)
    assert [len(p) for p in (parts.train, parts.valid, parts.test)] == [110_000, 10_000, 10_831]
    parts = split(1000)
    assert [len(p) for p in (parts.train, parts.valid, parts.test)] == [800, 100, 100]


def test_shipped_results_name_this_split():
    assert split(130_831, seed=0).hash == "81f4b03905c5"
    assert permutation(6, 0).tolist() == permutation(6, 0).tolist()


def test_splits_differ_in_seeds_and_hashes():
    assert split(1000, seed=1).hash == split(1000, seed=1).hash
    assert split(1000, seed=1).hash != split(1000, seed=2).hash
    a, b = np.arange(3), np.arange(3, 6)
    assert Split(a, b, a).hash != Split(np.arange(4), b[1:], a).hash


def test_train_size_takes_the_first_and_leaves_the_rest():
    whole, part = split(1000, seed=5), split(1000, seed=5, train_size=17)
    assert np.array_equal(part.train, whole.train[:17])
    assert np.array_equal(part.valid, whole.valid)
    assert np.array_equal(part.test, whole.test)


@pytest.mark.parametrize("size", [0, -1, 801])
def test_an_impossible_train_size_is_refused(size):
    with pytest.raises(InputError, match="train_size"):
        split(1000, train_size=size)


@pytest.mark.parametrize("n", [0, 1, 9])
def test_too_few_molecules_are_refused(n):
    with pytest.raises(InputError, match="at least 10"):
        split(n)
