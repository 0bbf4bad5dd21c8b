"""Standard deviations over orientations that are known, by molecule."""

import json

import pytest
import torch
from known import made, molecules, subject

from molinv.analysis.orbits.statistics import section
from molinv.analysis.subject import Structures


def statistics(*arguments, **settings):
    return made(section, *arguments, **settings)


def line(pos, z):
    """7 plus twice the height of the first atom: its std is 2 r / sqrt(3)."""
    return 7 + 2 * pos[:, :1, 2]


def spreads(given):
    return torch.stack([2 * p[0].norm() / 3**0.5 for p in given.pos]).double()


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
def test_a_linear_function(dtype, bound):
    given = molecules(dtype=dtype)
    y = torch.full((12, 1), 7.0, dtype=torch.float64)
    given = Structures(given.pos, given.z, y)
    found, _ = statistics(subject(line, dtype=dtype), given)
    expected = spreads(given)
    numbers = found.numbers
    middle = float(expected.quantile(0.5))
    assert numbers["median"]["value"] == [pytest.approx(middle, rel=bound)]
    torch.testing.assert_close(
        torch.tensor(numbers["std"], dtype=torch.float64)[:, 0], expected, rtol=bound, atol=0
    )
    # the mean of |2 z| over the sphere is r; the rule is not exact for a kink
    assert numbers["mae"][0] == pytest.approx(float(expected.mean()) * 3**0.5 / 2, rel=0.02)
    assert numbers["median"]["low"][0] < middle < numbers["median"]["high"][0]
    assert numbers["invariant"] == [False]
    assert "meV" in found.findings[1]
    assert "median absolute error" in found.findings[1]
    json.dumps(numbers, allow_nan=False)


def test_errors_and_differences_are_reported():
    given = molecules(60)
    draw = torch.Generator().manual_seed(1)
    shift = torch.randn(60, generator=draw, dtype=torch.float64)
    size = torch.stack([p.norm() for p in given.pos])

    def f(pos, z):  # mostly by the number of atoms, as total energies; 0.1 of what is left
        row = (pos.flatten(1).norm(dim=1)[:, None] - size).abs().argmin(1)
        count = 1e6 * (z > 0).sum(1).to(pos) + 10 * shift[row]
        return torch.stack([count, count + pos[:, 0, 2]], 1)

    found, _ = statistics(subject(f, n=2), given, degree=5)
    assert found.numbers["differences"] == [pytest.approx(10, rel=0.3)] * 2
    assert found.numbers["invariant"] == [True, False]
    assert "beyond rounding" in found.findings[1]
    assert f"{found.numbers['differences'][1]:.3g} meV" in found.findings[2]


def test_the_histogram_holds_every_molecule_once():
    found, orbits = statistics(subject(line), molecules(), degree=3)
    (chart,) = (f for f in found.figures if f.name == "orbit_histogram")
    (steps,) = chart.series
    assert sum(steps.y[1:-1:2]) == 12
    assert (steps.x[0], steps.x[-1]) == (0, pytest.approx(float(orbits.variance.sqrt().max())))
    assert len(steps.x) == len(steps.y)


def test_vectors_are_rotated_back_first():
    def f(pos, z):
        whole = (pos * z[..., None]).sum(1)
        return torch.stack([whole, whole + torch.tensor([0.0, 0.0, 2.0]).to(pos)], 1)

    found, _ = statistics(subject(f, "vector", n=2), molecules(), degree=5)
    assert found.numbers["invariant"] == [True, False]
    assert found.numbers["median"]["value"][1] == pytest.approx(2)  # all of a vector of length 2


def test_without_true_values_and_with_one_molecule():
    found, _ = statistics(subject(line), molecules(1), degree=3)
    assert found.numbers["mae"] is None
    assert found.numbers["median"]["low"] == [None]
    assert "absolute error" not in found.findings[1]
    json.dumps(found.numbers, allow_nan=False)
