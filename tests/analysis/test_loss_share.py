"""The split of the squared loss: exact, unbiased for draws, and over training."""

import json

import pytest
import torch
from known import made, molecules, subject

from molinv import InputError, groups
from molinv.analysis.loss_share import section, split_squared
from molinv.analysis.orbits import sweep, values_at
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


def test_an_invariant_function_loses_nothing_and_a_centred_one_everything():
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


def test_drawn_samples_give_the_terms_without_bias():
    given = subject(lambda pos, z: line(pos, z) + pos[:, :1, 0] ** 2)
    molecule = known(6.5, m=3)
    assert molecule.y is not None
    orbits = sweep(given, molecule)
    average = (orbits.mean - molecule.y).square()[:, 0]
    pos, z = molecule.batch(range(3))
    k, draws = 4, 4000
    # one set of k draws for each of many copies of every molecule
    turns = groups.SO3().double().haar(k * draws * 3, torch.Generator().manual_seed(0))
    many = pos.repeat(draws, 1, 1), z.repeat(draws, 1)
    y = molecule.y.repeat(draws, 1)
    values = torch.stack([values_at(given, *many, g) for g in turns.view(k, draws * 3, 3, 3)])
    found = split_squared(values, y)
    torch.testing.assert_close(found.total, (values - y).square().mean(0))

    def off(part, expected):
        """How far the mean over draws is from what is expected, in its standard errors."""
        each = part.view(draws, 3)
        return ((each.mean(0) - expected) / (each.std(0) / draws**0.5)).abs()

    assert (off(found.variance, orbits.variance[:, 0]) < 3.5).all()
    assert (off(found.average, average) < 3.5).all()
    assert (off(found.total, orbits.square[:, 0]) < 3.5).all()
    # the plain formulas are seen to be biased by as many draws
    assert (off(values.var(0, correction=0), orbits.variance[:, 0]) > 5).all()
    assert (off((values.mean(0) - y).square(), average) > 5).all()


def test_drawn_vectors_and_tensors():
    draw = torch.Generator().manual_seed(0)
    for e in ((3,), (3, 3)):
        values = torch.randn(5, 4, 2, *e, generator=draw, dtype=torch.float64)
        y = torch.randn(4, 2, *e, generator=draw, dtype=torch.float64)
        found = split_squared(values, y)
        axes = tuple(range(-len(e), 0))
        torch.testing.assert_close(found.variance, values.var(0).sum(axes))
        torch.testing.assert_close(found.total, (values - y).square().sum(axes).mean(0))
        assert found.average.shape == (4, 2)


@pytest.mark.parametrize(("k", "shape"), [(1, (4, 2)), (5, (4, 3)), (5, (4,))])
def test_draws_that_do_not_fit_are_refused(k, shape):
    with pytest.raises(InputError, match="k >= 2"):
        split_squared(torch.zeros(k, 4, 2), torch.zeros(shape))


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
    assert not any("before such figures" in text for text in found.findings)


def test_a_run_that_began_without_such_figures():
    found, _ = share(subject(line, history=rows(5, first=4)), known(5.0), degree=3)
    assert found.numbers["training"]["a"]["epoch"] == [4, 5]
    assert found.findings[-1].startswith("3 of the run's epochs")


@pytest.mark.parametrize(("history", "says"), [(rows(0, first=4), "this run"), ((), "no history")])
def test_a_run_without_such_figures_says_so(history, says):
    found, _ = share(subject(line, history=history), known(5.0), degree=3)
    assert says in found.findings[-1]
    assert "training" not in found.numbers
