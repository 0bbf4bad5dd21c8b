"""Intervals that hold what they say, as often as they say, of any law and few molecules."""

import numpy as np
import pytest
import torch

from molinv.analysis.intervals import FEWEST, alone, median
from molinv.analysis.section import Series, plain

LAWS = {
    "normal": (lambda draw, *n: draw.normal(size=n), 0.0),
    "uniform": (lambda draw, *n: draw.random(n), 0.5),
    "exponential": (lambda draw, *n: draw.exponential(size=n), np.log(2)),
    "heavy": (lambda draw, *n: np.exp(2 * draw.normal(size=n)), 1.0),
    "no mean": (lambda draw, *n: draw.standard_cauchy(n), 0.0),
}


@pytest.mark.parametrize("m", [FEWEST, 10, 30, 100])
@pytest.mark.parametrize("law", LAWS)
def test_intervals_have_the_stated_coverage(law, m):
    drawn, truth = LAWS[law]
    values = torch.from_numpy(drawn(np.random.default_rng(m), m, 10_000))
    found = median(values)
    held = ((found.low <= truth) & (found.high >= truth)).double().mean()
    assert 0.93 < held < 0.97


def test_medians_of_even_and_odd_numbers():
    values = torch.tensor([[4.0, 1.0], [2.0, 1.0], [100.0, 1.0], [3.0, 1.0]])
    assert median(values).value.tolist() == [3.5, 1.0]
    assert median(values[:3]).value.tolist() == [4.0, 1.0]


def test_one_molecule_does_not_move_the_median():
    values = torch.arange(30.0)[:, None]
    spoilt = values.clone()
    spoilt[-1] = 1e9
    for part, other in zip(median(values).parts, median(spoilt).parts, strict=True):
        assert torch.equal(part, other)


def test_few_molecules_have_a_value_and_no_interval():
    found = median(torch.tensor([[2.0, 4.0]]))
    assert found.text(0, unit="meV") == "2 meV"
    assert found.numbers() == {"value": [2.0, 4.0], "low": [None] * 2, "high": [None] * 2}
    assert found.series("a", [0, 1]) == Series("a", [0, 1], *[[2.0, 4.0]] * 3)
    few, enough = (median(torch.arange(float(m))[:, None]) for m in (FEWEST - 1, FEWEST))
    assert not few.low.isfinite().any()
    assert enough.low.isfinite().all()


def test_a_sentence_has_value_interval_and_unit():
    found = median(torch.arange(1.0, 12.0)[:, None])
    low, high = float(found.low), float(found.high)
    assert found.text(0, unit="meV") == f"6 [{low:.3g}, {high:.3g}] meV"
    assert alone(torch.tensor([2.0])).text(0) == "2"
    assert plain(torch.tensor([1.0, torch.inf])) == [1.0, None]
