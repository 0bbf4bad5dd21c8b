"""A molecule that occurs more than once is in one part of a random split."""

import threading
import time

import numpy as np
import pytest

from molinv.datasets import geometries as module
from molinv.datasets.molecules import Molecules, Target
from molinv.datasets.partition import without_unseen
from molinv.datasets.repeats import divided, notes_of, random_split, same_molecule
from molinv.datasets.split import Split, split, split_groups
from molinv.errors import InputError

WATER = ([8, 1, 1], [[0.0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
HCN, HNC = (  # the same elements in the same order, bonded in two ways
    ([1, 6, 7], [[x, 0.0, 0.0] for x in places]) for places in ((-1.07, 0, 1.16), (2.16, 0, 1.17))
)


def moved(structure, seed):
    draw = np.random.default_rng(seed)
    return structure[0], np.array(structure[1]) + draw.normal(0, 0.05, (3, 3))


def groups_in(parts, groups):
    return [set(groups[p].tolist()) for p in (parts.train, parts.valid, parts.test)]


@pytest.mark.parametrize(("n", "size"), [(10, None), (11, None), (57, 20), (1000, None)])
def test_without_repeats_the_split_is_the_plain_one(n, size):
    for seed in range(3):
        labels = np.random.default_rng(seed).permutation(n)
        made, notes = random_split(labels, seed, size)
        assert made.hash == split(n, seed, size).hash
        assert notes == []


def test_the_plain_split_is_the_one_of_every_earlier_version():
    assert split(1000).hash == "652a254026fd"
    assert split(130_831, 1).hash == "1d259c4de78c"
    order = np.argsort(np.random.PCG64(5).random_raw(37), kind="stable")
    made = split(37, 5, 20)
    assert made.train.tolist() == order[:20].tolist()
    assert made.valid.tolist() == order[31:34].tolist()
    assert made.test.tolist() == order[34:].tolist()


@pytest.mark.parametrize("seed", range(5))
def test_no_molecule_is_in_two_parts(seed):
    draw = np.random.default_rng(seed)
    groups = np.concatenate([np.full(60, 99), draw.integers(0, 90, 240)])
    made, (note,) = random_split(groups, seed)
    every = np.concatenate([made.train, made.valid, made.test])
    assert sorted(every.tolist()) == list(range(300))
    train, valid, test = groups_in(made, groups)
    assert len(train) + len(valid) + len(test) == len(set(groups.tolist()))
    assert 99 in train  # a fifth of all rows is one molecule
    assert abs(len(made.train) - 240) < 20
    assert min(len(made.valid), len(made.test)) > 10
    assert "in one part" in note
    assert divided(groups, made) is None
    assert split_groups(groups, seed, 7).train.tolist() == made.train[:7].tolist()


def test_a_single_trajectory_is_split_at_random_and_said():
    made, (note,) = random_split(np.zeros(50, int))
    assert made.hash == split(50).hash
    assert "only 1 different molecules" in note
    with pytest.raises(InputError, match="at least 10 molecules"):
        split_groups(np.arange(200) % 9)


def test_rows_are_one_molecule_by_smiles_or_by_frames():
    smiles = ["CCO", "OCC", "C(C)O", "CC", "", "", "", "", "", "not a SMILES", "not a SMILES"]
    frames = [WATER] * 4 + [WATER, moved(WATER, 0), HCN, moved(HCN, 1), HNC, WATER, WATER]
    found = same_molecule(Molecules.from_arrays(frames), smiles)
    assert found.tolist() == [0, 0, 0, 1, 2, 2, 3, 3, 4, 5, 5]


def test_repeats_and_clashing_values_are_said():
    made = Molecules.from_arrays(
        [WATER] * 5, [1.0, 4.5, 2.0, 7.0, 7.0], [Target("y", "")], ids=list("23456")
    )
    groups = np.array([0, 0, 0, 1, 1])
    first, second = notes_of(groups, made, np.ones(5, bool))
    assert first == "2 molecules occur more than once (5 rows in all)."
    assert "differ in 'y': 1, by up to 3.5 (rows 2 and 3)" in second
    # rows with given geometries may differ in energy
    assert len(notes_of(groups, made, np.zeros(5, bool))) == 1
    assert notes_of(np.arange(5), made, np.ones(5, bool)) == []
    said = divided(groups, Split(np.array([0, 3]), np.array([1]), np.array([2, 4])))
    assert said is not None
    assert said.startswith("2 of the molecules")


def test_held_out_molecules_of_unseen_elements_are_left_out():
    tin = ([50], [[0.0, 0, 0]])
    made = Molecules.from_arrays([WATER, HCN, WATER, tin, WATER, HCN, tin])
    parts = Split(np.array([0, 2]), np.array([4, 1]), np.array([3, 2, 5, 6]))
    kept, notes = without_unseen(made, parts)
    assert (kept.train.tolist(), kept.valid.tolist(), kept.test.tolist()) == ([0, 2], [4], [2])
    assert notes == [
        "1 molecule with C, N left out of the validation part: no training molecule has C, N.",
        "3 molecules with C, N, Sn left out of the test part: no training molecule has C, N, Sn.",
    ]
    assert without_unseen(made, kept) == (kept, [])
    with pytest.raises(InputError, match="the test part has only 1 molecule with Sn"):
        without_unseen(made, Split(np.array([0]), np.array([2]), np.array([3])))


def test_one_process_searches_conformers_at_a_time(tmp_path, monkeypatch):
    from molinv.chem.smiles import pending
    from molinv.chem.structure import ReadOptions

    monkeypatch.setenv("MOLINV_CACHE", str(tmp_path))
    searched, make = [], module._make

    def slow(*args):
        searched.append(args)
        time.sleep(0.3)
        make(*args)

    monkeypatch.setattr(module, "_make", slow)
    found = []
    items = [pending(s, s, "x") for s in ("CC", "CO")]
    both = [
        threading.Thread(
            target=lambda: found.append(module.geometries(items, ReadOptions(), "key"))
        )
        for _ in range(2)
    ]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert len(searched) == 1
    assert [len(f.structures) for f in found] == [2, 2]
