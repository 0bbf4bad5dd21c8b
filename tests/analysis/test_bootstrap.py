"""Intervals that hold what they say, as often as they say."""

import pytest
import scipy.stats
import torch

from molinv.analysis.bootstrap import medians, of_means
from molinv.analysis.section import Series, plain
from molinv.analysis.settings import Settings


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def same(means):
    return means


@pytest.mark.parametrize("confidence", [0.5, 0.95])
def test_intervals_hold_the_truth_as_often_as_they_say(confidence):
    # 2,000 sets of 80 molecules from a skew law of mean 1
    values = normal(80, 2000).square()
    found = of_means(same, values, Settings(confidence=confidence))
    held = ((found.low <= 1) & (found.high >= 1)).double().mean()
    assert confidence - 0.06 < held < confidence + 0.02


def test_they_are_those_of_scipy():
    values = normal(60, 2)
    ours = of_means(lambda v: v[..., 0] / (3 + v[..., 1]), values, Settings(bootstrap=20_000))
    theirs = scipy.stats.bootstrap(
        tuple(values.numpy().T),
        lambda a, b, axis: a.mean(axis) / (3 + b.mean(axis)),
        paired=True,
        method="percentile",
        n_resamples=20_000,
        rng=0,
    ).confidence_interval
    width = theirs.high - theirs.low
    assert float(ours.low) == pytest.approx(theirs.low, abs=0.03 * width)
    assert float(ours.high) == pytest.approx(theirs.high, abs=0.03 * width)
    assert float(ours.value) == pytest.approx(
        float(values[:, 0].mean() / (3 + values[:, 1].mean()))
    )


def test_what_is_asked_together_is_asked_of_the_same_molecules():
    values = normal(40, 1).expand(-1, 2) * torch.tensor([1.0, 2.0])
    found = of_means(lambda v: v[..., 0] / v[..., 1], values, Settings())
    assert float(found.high - found.low) < 1e-12


def test_medians():
    values = torch.cat([normal(300, 1), 1e3 + normal(300, 1)], 1)
    found = medians(values, Settings())
    expected = values.quantile(0.5, 0)
    assert torch.allclose(found.value, expected)
    width = 2 * 1.96 * 1.2533 / 300**0.5  # of the median of a normal law
    assert (found.high - found.low).tolist() == pytest.approx([width] * 2, rel=0.35)
    assert ((found.low < found.value) & (found.value < found.high)).all()


def test_blocks_of_resamples_make_no_difference(monkeypatch):
    values = normal(50, 3)
    whole = of_means(same, values, Settings()), medians(values, Settings())
    monkeypatch.setattr("molinv.analysis.bootstrap._HELD", 50 * 7)
    parts = of_means(same, values, Settings()), medians(values, Settings())
    for a, b in zip(whole, parts, strict=True):
        assert torch.allclose(a.low, b.low, atol=1e-14)
        assert torch.allclose(a.high, b.high, atol=1e-14)
    assert not torch.equal(whole[0].low, of_means(same, values, Settings(seed=1)).low)


def test_one_molecule_has_a_value_and_no_interval():
    found = of_means(same, torch.tensor([[2.0, 4.0]]), Settings())
    assert found.text(0, unit="meV") == "2 meV"
    assert found.numbers() == {"value": [2.0, 4.0], "low": [None] * 2, "high": [None] * 2}
    assert found.series("a", [0, 1]) == Series("a", [0, 1], *[[2.0, 4.0]] * 3)
    assert medians(torch.tensor([[2.0]]), Settings()).text(0) == "2"


def test_a_sentence_has_value_interval_and_unit():
    values = torch.tensor([[1.0], [3.0]])
    assert of_means(same, values, Settings()).text(0, unit="meV") == "2 [1, 3] meV"
    assert plain(torch.tensor([1.0, torch.inf])) == [1.0, None]
