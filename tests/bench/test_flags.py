"""Parsing lists of names and numbers from flags."""

import pytest

from molinv.bench.flags import listed, positive
from molinv.bench.networks import METHODS
from molinv.errors import InputError


@pytest.mark.parametrize("separator", [", ", ",", "; ", ";"])
def test_names_that_contain_a_comma_can_be_separated_by_commas(separator):
    names = ["point absolute, learned HaarBall", "painn, none", "FAENet, one frame"]
    assert listed(separator.join(names), "method", METHODS) == names
    assert listed(separator.join(METHODS), "method", METHODS) == list(METHODS)


def test_names_keep_their_order_and_brackets():
    assert listed("b,a", "task", ("a", "b")) == ["b", "a"]
    assert listed("T(2), About(1, 2, 2),", "group") == ["T(2)", "About(1, 2, 2)"]
    assert listed("a,m:B", "model", ("a",), outside=True) == ["a", "m:B"]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("a,c,", "unknown task 'c'"),
        ("a,m:B", "unknown task 'm:B'"),
        ("a,a", "tasks: expected different names"),
        (" , ", "tasks: expected different names"),
    ],
)
def test_unknown_repeated_and_missing_names_are_refused(text, hint):
    with pytest.raises(InputError, match=hint):
        listed(text, "task", ("a", "b"))


def test_numbers_below_one_are_refused():
    positive(rounds=1)
    with pytest.raises(InputError, match="batch: expected at least 1, got 0"):
        positive(rounds=1, batch=0)
