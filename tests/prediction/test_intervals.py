"""Individual intervals: they are as wide as the expected error, and hold in groups."""

import json

import numpy as np
import pytest
import torch

from molinv.chem.classes import classes
from molinv.datasets.targets import Target
from molinv.prediction import difficulty
from molinv.prediction.applicability_domain import FEWEST, FeatureSpace, limits
from molinv.prediction.conformal import BIN, Ends, binned, bins, factors, quantile
from molinv.prediction.coverage import groups, held
from molinv.prediction.difficulty import FOLDS, Signs
from molinv.prediction.fields import columns


def molecules(n: int, seed: int = 0):
    """Signs of n molecules, and errors with mean from feature 0 and width from feature 1."""
    random = np.random.default_rng(seed)
    features = random.normal(size=(n, 6))
    counts = np.zeros((n, 119), np.int64)
    counts[:, 1], counts[:, 6] = random.integers(0, 12, n), random.integers(1, 9, n)
    wide = np.exp(features[:, 1])[:, None] * np.array([1.0, 20.0])
    errors = wide * random.normal(size=(n, 2)) + features[:, :1] * np.array([2.0, 0.0])
    return Signs(torch.from_numpy(features).float(), counts), errors


def test_widths_follow_the_error_and_centres_its_mean():
    (signs, errors), (new, truth) = molecules(3000), molecules(3000, 1)
    assert signs.features is not None
    space, fold = FeatureSpace.fit(signs.features), np.arange(3000) % FOLDS
    x, y = (difficulty.inputs(s, space, [1, 6], True) for s in (signs, new))
    made = difficulty.fit(x, errors, fold, 0.9, True, True)
    again = difficulty.fit(x, errors, fold, 0.9, True, True)
    assert all(torch.equal(made.tensors[k], again.tensors[k]) for k in made.tensors)
    centre, scale = (each[fold, np.arange(3000)] for each in made.folds(x))
    scores = np.abs(errors - centre) / scale
    factor = np.array([quantile(column, 0.9) for column in scores.T])
    centre, scale = made(y)
    half = scale * factor
    inside = np.abs(truth - centre) <= half
    assert inside.mean(0) == pytest.approx([0.9, 0.9], abs=0.025)
    assert new.features is not None
    easy = new.features[:, 1].numpy() < 0
    assert inside[easy].mean() == pytest.approx(0.9, abs=0.04)
    assert inside[~easy].mean() == pytest.approx(0.9, abs=0.04)
    constant = np.array([quantile(column, 0.9) for column in np.abs(errors).T])
    assert (half.mean(0) < 0.87 * constant).all()
    assert np.corrcoef(centre[:, 0], new.features[:, 0].numpy())[0, 1] > 0.9
    lengths = difficulty.fit(x[:300], np.abs(errors[:300]), fold[:300], 0.9, False, True)
    assert not lengths(y)[0].any()


def test_a_network_is_not_fitted_to_its_own_fold():
    signs, errors = molecules(300)
    fold = np.arange(300) % FOLDS
    x = difficulty.inputs(signs, None, [1, 6], False)
    changed = errors.copy()
    changed[fold == 2] = errors[fold == 2][::-1]
    one, other = (difficulty.fit(x, e, fold, 0.9, True, False) for e in (errors, changed))
    assert torch.equal(one.tensors["w0"][2], other.tensors["w0"][2])
    assert not torch.allclose(one.tensors["w0"][0], other.tensors["w0"][0], atol=1e-3)


def test_far_away_molecules_have_a_bounded_scale():
    signs, errors = molecules(300)
    assert signs.features is not None
    space = FeatureSpace.fit(signs.features)
    x = difficulty.inputs(signs, space, [1, 6], True)
    made = difficulty.fit(x, errors, np.arange(300) % FOLDS, 0.9, True, True)
    far = Signs(signs.features * 1e6, signs.counts * 100)
    centre, scale = made(difficulty.inputs(far, space, [1, 6], True))
    assert np.isfinite(centre).all()
    assert np.isfinite(scale).all()
    assert (scale > 0).all()


def test_difficulties_are_read_back_and_a_damaged_file_is_refused(tmp_path):
    signs, errors = molecules(250)
    x = difficulty.inputs(signs, None, [1, 6], False)
    made = difficulty.fit(x, errors, np.arange(250) % FOLDS, 0.9, True, False)
    digest = difficulty.save(tmp_path, {"given": made})
    again = difficulty.read(tmp_path, digest)["given"]
    assert np.array_equal(again(x)[1], made(x)[1])
    path = tmp_path / difficulty.FILE
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(ValueError, match="not the one"):
        difficulty.read(tmp_path, digest)
    assert difficulty.save(tmp_path, {}) is None
    assert not path.exists()


def test_bins_have_enough_molecules_and_intervals_hold_in_small_bins():
    heavy = np.repeat([1.0, 2, 5, 6, 7, 8], [3, 10, 20, 40, 200, 1000])
    sizes = binned(heavy)
    assert sizes == [5, 6, 7]
    at = bins(heavy, sizes)
    assert np.bincount(at).min() >= BIN
    assert bins(np.array([1.0, 5, 6, 7, 8, 40]), sizes).tolist() == [0, 0, 1, 2, 3, 3]
    assert binned(np.full(12, 4.0)) == []
    assert binned(np.arange(1000.0), (0.5, 0.9, 0.98)) == [499, 899]  # only 20 above the third
    random = np.random.default_rng(0)
    scores = np.abs(random.normal(size=(len(heavy), 1))) * np.where(heavy < 6, 5.0, 1.0)[:, None]
    (found,) = factors(scores, [at])
    assert found[0, 0] > 4 * found[3, 0]
    assert found[1, 0] >= quantile(scores[:, 0], 0.9)  # 40 molecules are too few to go below
    scores[heavy < 6] = np.nan
    assert np.isfinite(factors(scores, [at])[0]).all()
    scores[:] = np.nan
    assert not np.isfinite(factors(scores, [at])[0]).any()


def test_intervals_hold_by_distance_and_by_size():
    random = np.random.default_rng(0)
    far, size = (random.integers(0, 3, 6000) for _ in range(2))
    size = np.where(random.random(6000) < 0.5, far, size)  # correlated
    scores = np.abs(random.normal(size=(6000, 1))) * (2.0**far * 3.0**size)[:, None]
    rows = factors(scores, [far, size])
    inside = scores <= rows[0][far] * rows[1][size]
    for at in (far, size):
        for k in range(3):
            assert inside[at == k].mean() == pytest.approx(0.9, abs=0.01)


def test_limits_decrease_with_size_and_use_enough_molecules():
    heavy = np.repeat([1, 4, 9], [5, 150, 300])
    distance = np.repeat([17.0, 5.0, 2.0], [5, 150, 300])
    found = limits(heavy, distance)
    assert found == [17.0, 5.0, 5.0, 5.0, 2.0, 2.0, 2.0, 2.0, 2.0]
    assert limits(heavy[: FEWEST - 1], distance[: FEWEST - 1]) is None
    heavy[-300:-50] = 4  # only 50 molecules of nine atoms: others are added
    found = limits(heavy, distance)
    assert found is not None
    assert found[-1] == 5.0
    assert limits(heavy, np.full(455, np.nan)) is None


@pytest.mark.parametrize(
    ("smiles", "has", "lacks"),
    [
        ("c1ccccc1", {"aromatic", "one ring"}, {"alkene", "none of these"}),
        ("CC(C)=O", {"carbonyl", "ketone", "no ring"}, {"aldehyde", "ether"}),
        ("CC(=O)OC", {"acid or ester"}, {"ether", "alcohol", "ketone"}),
        ("CC(N)=O", {"amide"}, {"amine"}),
        ("C1CC1C#N", {"nitrile", "ring of three"}, {"alkyne"}),
        ("OC1C2CC1C2", {"alcohol", "two rings"}, {"carbonyl"}),
        ("[O-]C(=O)C[NH3+]", {"charged atoms"}, {"amine"}),
        ("CCC", {"none of these"}, {"alkene"}),
        ("C1CC", set(), {"no ring"}),
        ("", set(), {"no ring"}),
    ],
)
def test_classes_of_molecules(smiles, has, lacks):
    found = {name for _, name in classes(smiles)}
    assert has <= found
    assert not lacks & found


def test_coverage_is_counted_in_groups_of_known_molecules():
    errors = np.array([[1.0], [-1.0], [3.0], [np.nan]])
    values = np.array([[0.5], [2.0], [2.0], [2.0]])
    ends = Ends(np.full((4, 1), -2.0), np.full((4, 1), 1.0))  # the truth is value - error
    members = groups(np.array([1, 2, 9, 9]), np.full(4, np.nan), ["C", "CC", "", ""])
    assert ("feature distance", "nearest half") not in members
    targets = [Target("y", "eV", least=0.0)]
    rows, by_group = held(errors, values, ends, np.array([2.0]), targets, members)
    assert rows["y"]["coverage"] == pytest.approx(2 / 3)
    assert rows["y"]["width"] == pytest.approx((1.5 + 3 * 3) / 4)  # without what is below 0
    assert rows["y"]["alike"] == pytest.approx((2.5 + 3 * 4) / 4)
    found = {(r["of"], r["group"]): r for r in by_group}
    assert found["heavy atoms", "9"]["molecules"] == 2
    assert found["heavy atoms", "9"]["coverage"] == {"y": 0.0}
    assert found["heavy atoms", "1 to 6"]["coverage"] == {"y": 1.0}
    assert found["rings", "no ring"]["molecules"] == 2


def test_intervals_end_at_the_least_possible_value():
    target, free = Target("mu", "D", least=0.0), Target("mu", "D")
    row = columns(target, np.array(0.1), ends=(-0.5, 0.5))
    assert (row["mu_low"], row["mu_high"]) == (0.0, pytest.approx(0.6))
    assert columns(free, np.array(0.1), ends=(-0.5, 0.5))["mu_low"] == pytest.approx(-0.4)
    assert columns(target, np.array(0.1), ends=(np.nan, np.nan))["mu_low"] is None
    assert Target(**json.loads(json.dumps(target.to_json()))) == target
    assert Target("mu", "D", "dipole moment").least == 0.0  # as in QM9's caches and old runs
    assert "least" not in Target("mu", "D", "dipole moment").to_json()
