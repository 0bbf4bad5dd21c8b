"""Tolerated angles of functions whose error grows in a known way."""

from math import acos, degrees, pi

import pytest
import torch
from lie_nets import invariant, linear, molecules, subject

from molinv import distributions as D
from molinv import groups
from molinv.analysis.learned.agreement import agrees, reach
from molinv.analysis.learned.tolerance import section
from molinv.analysis.learned.turning import ANGLES, calls, over_angles, tolerated
from molinv.analysis.orbits import sweep
from molinv.analysis.settings import Settings
from molinv.analysis.subject import Quantity, Structures, Subject

SETTINGS = Settings(degree=2)


def made(subject_, structures):
    return section(sweep(subject_, structures, 2), SETTINGS)


def true(structures, offset):
    """True values that an untilted invariant function misses by `offset`."""
    pos, z = structures.batch(range(len(structures)))
    y = invariant(pos, z) + offset
    return Structures(structures.pos, structures.z, y)


def tilted(size):
    """An invariant function plus `size` (1 - cos(tilt)), with the tilt about x or y."""

    def f(pos, z):
        up = pos[:, 0] / pos[:, 0].norm(dim=1, keepdim=True)
        return invariant(pos, z) + size * (1 - up[:, 2:])

    return f


def upright(*sizes, dtype=torch.float64):
    """Molecules whose first atom lies along z."""
    drawn = molecules(*sizes, dtype=dtype)
    for p in drawn.pos:
        p[0] = torch.tensor([0.0, 0.0, 2.0])
    return drawn


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_angle_at_which_a_known_error_has_grown_by_a_twentieth(dtype):
    structures = true(upright(3, 5, 4, 4, dtype=dtype), -1.0)  # the error at angle 0 is 1
    found = made(subject(tilted(0.5), dtype=dtype), structures)
    expected = degrees(acos(1 - 0.05 / 0.5))  # 25.84 degrees, between two angles of the sweep
    axes = found.numbers["tolerated_degrees_mean"]["value"]
    for axis in (0, 1):
        assert axes[axis] == pytest.approx([expected] * 3, abs=0.6)
    assert axes[2] == [180.0] * 3  # rotations about z change nothing
    assert found.numbers["largest_growth"] == pytest.approx(1.0, abs=1e-4)
    assert [c.name for c in found.figures] == ["tolerance"]
    assert "no learned distribution" in found.findings[0]


def test_errors_are_those_of_rotated_molecules():
    structures = true(molecules(3, 5, 4), 2.0)
    errors = over_angles(subject(linear), structures, Settings(batch_size=2))
    g = groups.SO3().exp(torch.tensor([0, 0, ANGLES[7].item() * pi / 180]).double())
    pos, z = structures.batch(range(3))
    assert structures.y is not None
    assert torch.allclose(errors[:, 2, 7], (linear(pos @ g.mT, z) - structures.y).abs())
    g = groups.SO3().exp(torch.tensor([-pi, 0, 0]).double())
    assert torch.allclose(errors[:, 0, 0], (linear(pos @ g.mT, z) - structures.y).abs())
    assert torch.equal(errors[:, 0, 0], errors[:, 0, -1])
    asked = []
    over_angles(subject(linear), structures, SETTINGS, asked.append)
    assert sum(asked) == 3 * calls()


def test_vectors_are_rotated_back():
    made_ = subject(lambda pos, z: (pos * z[..., None]).sum(1)[:, None], kind="vector")
    assert over_angles(made_, molecules(3, 4), SETTINGS).max() < 1e-12


@pytest.mark.parametrize(
    ("growth", "expected"),
    [
        (lambda a: 0 * a, [180, 180, 180]),
        (lambda a: (a.abs() > 0) * 1.0, [0.05, 0.05, 0.05]),
        (lambda a: a.clamp_min(0) / 400, [180, 20, 20]),
        # all smaller angles must be tolerated too, so angles above 90 degrees do not count
        (lambda a: 0.05 * a.abs() / 42 * (a.abs() < 90), [42, 42, 42]),
        (lambda a: -a.abs(), [180, 180, 180]),
    ],
)
def test_tolerated_angles(growth, expected):
    assert tolerated(growth(ANGLES)).tolist() == pytest.approx(expected)


def test_without_true_values_and_without_error():
    structures = upright(3, 5, 4)
    found = made(subject(tilted(0.5)), structures)
    assert "standard deviation" in found.findings[0]
    perfect = true(structures, 0.0)
    assert made(subject(tilted(0.5)), perfect).findings == found.findings
    none = made(subject(invariant), structures)
    assert "at any angle about x, y or z" in none.findings[0]


SO3 = groups.SO3()


@pytest.mark.parametrize(
    ("mu", "expected"),
    [
        (D.UniformBox(SO3, init=[0.1, 0.2, 3.0]), [5.73, 11.46, 171.9]),
        (D.HaarBall(SO3, init=1.0), [57.3] * 3),
        (D.Gaussian(SO3, init=0.5), [48.7] * 3),
        (D.Haar(SO3), [180] * 3),
        (D.Identity(SO3), [0] * 3),
        (D.UniformBox(groups.SE3(), init=0.3), [17.19] * 3),
        (D.Composed(groups.O3(), init=0.4), [22.92] * 3),
        (D.UniformBox(groups.T(3)), []),
    ],
    ids=lambda v: type(v).__name__,
)
def test_how_far_a_distribution_reaches(mu, expected):
    found = reach(mu)
    assert [v.degrees for v in found.values()] == pytest.approx(expected, rel=2e-3)


def with_(mu, function):
    return Subject("f", function, (Quantity("f", ""),), distribution=mu, dtype=torch.float64)


@pytest.mark.parametrize(
    ("learned", "low", "high", "expected"),
    [
        (170, 180, 180, "agree"),
        (10, 3, 20, "agree"),
        (5, 180, 180, "more"),
        (90, 20, 30, "less"),
        (178, 40, 60, "less"),
        (60, 30, 41, "agree"),
    ],
)
def test_agreement_of_reach_and_tolerance(learned, low, high, expected):
    assert agrees(learned, low, high) == expected


@pytest.mark.parametrize(
    ("mu", "function", "says"),
    [
        (D.HaarBall(SO3, init=3.1), invariant, "the learned distribution and the network agree"),
        (
            D.UniformBox(SO3, init=0.1),
            invariant,
            "tolerates more than was learned about x, y and z",
        ),
        (D.Haar(SO3), tilted(0.5), "less than was learned about x and y"),
        (
            D.UniformBox(SO3, init=[0.4, 0.4, 3.0]),
            tilted(0.5),
            "distribution and the network agree",
        ),
    ],
)
def test_one_sentence_says_whether_they_agree(mu, function, says):
    found = made(with_(mu, function), true(upright(3, 5, 4, 4), -1.0))
    assert len(found.findings) == 1
    assert says in found.findings[0]
    assert set(found.numbers["agreement"]) == {"x", "y", "z"}
