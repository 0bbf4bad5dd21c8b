"""Symmetries that a function has are found, and no others."""

import known
import pytest
import torch

from molinv import InputError
from molinv.analysis.algebra import Algebra, describe, section

AXIS = torch.tensor([1.0, -2.0, 2.0]).double() / 3


def distances(pos, z):
    inside = (z > 0).to(pos)
    away = (pos[:, :, None] - pos[:, None]).square().sum(-1).add(1e-3).sqrt()
    pairs = inside[:, :, None] * inside[:, None] * (1 + z[:, :, None] * z[:, None])
    return ((-away).exp() * pairs).sum((1, 2))[:, None]


def field(axis):
    def f(pos, z):
        q = z.to(pos) - z.sum(1, keepdim=True) / (z > 0).sum(1, keepdim=True)
        q = q * (z > 0)
        return distances(pos, z) + (q[..., None] * pos).sum(1) @ axis.to(pos)[:, None]

    return f


def about_the_origin(pos, z):
    return (pos.square().sum(-1) * z).sum(1, keepdim=True)


def generic(pos, z):
    weight = torch.arange(1, 4).to(pos)
    return distances(pos, z) + ((pos * weight).sin() * z[..., None]).sum((1, 2))[:, None]


def dilation(pos, z):
    away = (pos[:, 1:3] - pos[:, :1]).square().sum(-1).sqrt()
    return (away[:, :1] / away[:, 1:]).log()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(
    ("function", "dimension", "named"),
    [
        (distances, 6, "all rotations, so(3) and all translations"),
        (field(torch.tensor([1.0, 0, 0])), 4, "rotations about x, so(2) and all translations"),
        (field(AXIS), 4, "rotations about (-0.33, 0.67, -0.67), so(2) and all translations"),
        (about_the_origin, 3, "all rotations, so(3)"),
        (generic, 0, "no continuous affine symmetry"),
        (dilation, 7, "all rotations, so(3), all translations and 1 motion other"),
    ],
)
def test_the_algebra_is_found_and_named(function, dimension, named, dtype):
    subject = known.subject(function, dtype=dtype)
    made, _ = known.made(section, subject, known.molecules(30, dtype), 2)
    found = made.numbers["a"]["as stored"]
    assert found["dimension"] == dimension
    assert found["named"].replace("(0.33, -0.67, 0.67)", "(-0.33, 0.67, -0.67)").startswith(named)


def test_orientations_tell_a_field_from_an_average():
    # of molecules that all lie along z, turns about z are seen to matter only when they are turned
    given = known.molecules(30)
    made, _ = known.made(section, known.subject(field(torch.tensor([0, 0, 1.0]))), given, 2)
    assert made.numbers["a"]["in random orientations"]["dimension"] == 4
    assert made.findings == ["a has rotations about z, so(2) and all translations."]


def test_few_molecules_get_more_orientations():
    given = known.molecules(2)
    made, _ = known.made(section, known.subject(field(torch.tensor([0, 0, 1.0]))), given, 2)
    assert list(made.numbers["a"]) == ["in random orientations"]
    assert made.findings == ["a has rotations about z, so(2) and all translations."]


def test_vectors_are_refused():
    subject = known.subject(lambda pos, z: pos[:, :1], "vector")
    with pytest.raises(InputError, match="scalars of molecules only"):
        known.made(section, subject, known.molecules(4), 2)


def test_one_translation_beside_all_rotations_is_chance():
    """Symmetries are a Lie algebra, and [J, P] is another translation."""
    motions = torch.eye(12, dtype=torch.float64)
    for i, j in ((1, 0), (2, 0), (2, 1)):  # rotations and shears
        a, b = motions[3 * i + j].clone(), motions[3 * j + i].clone()
        motions[3 * i + j], motions[3 * j + i] = (a - b) / 2**0.5, (a + b) / 2**0.5
    order = [3, 6, 7, 11, 0, 1, 2, 4, 5, 8, 9, 10]
    rates = torch.tensor([0.0] * 4 + [1.0] * 8).double()
    found = Algebra(rates, motions[order].view(12, 4, 3), 1.0)
    assert describe(found) == "all rotations, so(3)"
    rates = torch.tensor([0.0] + [1.0] * 11).double()
    assert (
        describe(Algebra(rates, motions[[11, *range(11)]].view(12, 4, 3), 1.0))
        == "translations along z"
    )
