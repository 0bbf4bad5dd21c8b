"""The split of the squared loss: exact, and over training."""

import json

import pytest
import torch
from known import made, molecules, subject

from molinv import InputError
from molinv.analysis.loss_share import section
from molinv.analysis.subject import Structures


def share(*arguments, **settings):
    return made(section, *arguments, **settings)


def line(pos, z):
    """7 plus twice the height of the first atom: its variance is 4 r^2 / 3."""
    return 7 + 2 * pos[:, :1, 2]


def known(value, dtype=torch.float64, m=12):
    given = molecules(m, dtype)
    return Structures(given.pos, given.z, torch.full((m, 1), value, dtype=torch.float64))


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
def test_the_split_of_a_linear_function(dtype, bound):
    given = known(5.0, dtype)
    found, orbits = share(subject(line, dtype=dtype), given)
    variance = torch.stack([4 * p[0].double().square().sum() / 3 for p in given.pos])
    total, average, spread = found.numbers["square_of_total_average_variance"][0]
    assert average == pytest.approx(4.0, rel=bound)
    assert spread == pytest.approx(float(variance.mean()), rel=bound)
    assert total == pytest.approx(average + spread, rel=bound)
    expected = float(variance.mean() / (4 + variance.mean()))
    assert found.numbers["share"][0] == pytest.approx(expected, rel=bound)
    each = found.numbers["share_of_a_molecule"]
    middle = float((variance / (4 + variance)).quantile(0.5))
    assert each["value"][0] == pytest.approx(middle, rel=bound)
    assert each["low"][0] < middle < each["high"][0]
    single, averaged = found.numbers["absolute_of_single_average"][0]
    assert averaged == pytest.approx(2, rel=bound)
    assert found.numbers["absolute_saved"][0] == pytest.approx(single - averaged)
    assert single == pytest.approx(float(orbits.error.mean()))
    json.dumps(found.numbers, allow_nan=False)


def test_the_share_is_0_if_invariant_and_1_if_only_variance_is_lost():
    def f(pos, z):
        return torch.stack([pos.square().sum((1, 2)), 5 + pos[:, 0, 2]], 1)

    given = known(5.0)
    assert given.y is not None
    given = Structures(given.pos, given.z, given.y.expand(-1, 2))
    found, _ = share(subject(f, n=2), given)
    assert found.numbers["share"] == pytest.approx([0, 1], abs=1e-10)
    assert found.numbers["absolute_saved"][0] == pytest.approx(0, abs=1e-10)


def test_a_perfect_function_has_no_share():
    found, _ = share(subject(lambda pos, z: 5 + 0 * pos[:, :1, 0]), known(5.0), degree=3)
    assert found.numbers["share"] == [0.0]


def test_without_true_values_it_cannot_be_made():
    with pytest.raises(InputError, match="true values"):
        share(subject(line), molecules(), degree=3)


def rows(n, first=1):
    kept = [
        {"epoch": e, "step": 9 * e, "a_orbit_variance": 1 / e, "a_orbit_square": 2.0}
        for e in range(first, n + 1)
    ]
    early = [{"epoch": e, "step": 9 * e, "a_stored": 1.0} for e in range(first)]
    return [*early, *kept]


def test_the_share_over_training():
    found, _ = share(subject(line, history=rows(4)), known(5.0), degree=3)
    assert found.numbers["training"]["a"] == {
        "epoch": [1, 2, 3, 4],
        "percent": pytest.approx([50, 25, 50 / 3, 12.5]),
    }
    assert found.figures[-1].name == "loss_share_training"


def test_a_run_whose_first_epochs_lack_the_share():
    found, _ = share(subject(line, history=rows(5, first=4)), known(5.0), degree=3)
    assert found.numbers["training"]["a"]["epoch"] == [4, 5]


@pytest.mark.parametrize("history", [rows(0, first=4), ()])
def test_a_run_without_the_share_over_training(history):
    found, _ = share(subject(line, history=history), known(5.0), degree=3)
    assert "training" not in found.numbers
