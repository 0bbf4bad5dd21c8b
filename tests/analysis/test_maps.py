"""Spheres of functions whose dependence on direction is known."""

import json

import known
import pytest
import torch

from molinv import InputError
from molinv.analysis.orbits import maps, views
from molinv.analysis.orbits.resolved import resolved
from molinv.analysis.section import Globe, plain
from molinv.analysis.settings import Settings

TILTED = torch.tensor([1.0, -2.0, 0.5]).double() / 5.25**0.5


def linear(axis):
    """A vector of the molecule along an axis of space: pure l = 1, as in a field."""

    def f(pos, z):
        return 3 + (z[..., None] * pos).sum(1) @ torch.as_tensor(axis).to(pos)[:, None]

    return f


def moment(structures, i):
    return (structures.z[i][:, None] * structures.pos[i]).sum(0)


def directions():
    lat, lon = torch.meshgrid(views.LATITUDES.deg2rad(), views.LONGITUDES.deg2rad(), indexing="ij")
    return torch.stack([lat.cos() * lon.cos(), lat.cos() * lon.sin(), lat.sin()], -1)


def test_views_rotate_their_direction_to_z():
    g = views.views(views.LATITUDES[:, None], views.LONGITUDES[None])
    eye = torch.tensor([0.0, 0.0, 1.0]).double()
    torch.testing.assert_close((g @ directions()[..., None])[..., 0], eye.expand(*g.shape[:2], 3))
    torch.testing.assert_close(g @ g.mT, torch.eye(3).double().expand_as(g))
    assert (torch.linalg.det(g) > 0).all()


@pytest.mark.parametrize("name", "xyz")
def test_a_field_is_seen_along_its_own_axis(name):
    axis = views.AXES[name]
    made, orbits = known.made(maps.section, known.subject(linear(axis)), known.molecules(5), 5)
    numbers = made.numbers["a"]
    i = numbers["index"]
    assert i == int(orbits.variance[:, 0].argmax())
    assert numbers["axis"] == pytest.approx(list(axis))
    assert numbers["share"] == pytest.approx(1)
    (figure,) = made.figures
    assert isinstance(figure, Globe)
    expected = directions() @ moment(orbits.structures, i)
    torch.testing.assert_close(torch.tensor(figure.values).double(), expected)
    assert f"along {name} of space" in made.findings[0]
    json.dumps(plain(made.numbers), allow_nan=False)


def test_each_quantity_shows_the_molecule_that_depends_most_on_orientation():
    def f(pos, z):
        height = pos[:, 0, 2]
        return torch.stack([height, height / z.sum(1).double() ** 3], -1)

    made, orbits = known.made(maps.section, known.subject(f, n=2), known.molecules(8), 5)
    most = orbits.variance.argmax(0).tolist()
    assert most[0] != most[1]
    assert [each["index"] for each in made.numbers.values()] == most


def test_a_tilted_axis_is_found():
    made, _ = known.made(maps.section, known.subject(linear(TILTED)), known.molecules(5), 5)
    assert abs(float(torch.tensor(made.numbers["a"]["axis"]).double() @ TILTED)) > 0.97
    assert made.numbers["a"]["share"] > 0.95


@pytest.mark.parametrize("degree", [4, 8])
def test_coefficients_describe_the_function(degree):
    def f(pos, z):
        x = pos[:, 0]
        return (x[:, 0] ** 2 * x[:, 1] + x[:, 2])[:, None]

    subject, structures = known.subject(f), known.molecules(3)
    _, orbits = known.made(maps.section, subject, structures, 2 * degree)
    found, _ = maps.coefficients(orbits, 1, Settings())
    assert float(found[1:].square().sum()) == pytest.approx(float(orbits.variance[1, 0]))
    g = views.views(torch.tensor([20.0, -70.0]).double(), torch.tensor([35.0, 160.0]).double())
    values = maps.SO3().basis(g, degree)[0] @ found[:, 0]
    pos, z = structures.batch([1, 1])
    expected = f(pos @ g.mT, z)[:, 0] - orbits.mean[1, 0]
    torch.testing.assert_close(values, expected)
    # averaging about an axis is what it says
    axis = TILTED
    about = views.about(found[:, 0], degree, axis)
    angles = torch.linspace(0, 2 * torch.pi, 33).double()[:-1, None]
    turns = maps.SO3().double().exp(angles * axis)
    many = turns @ g[0]
    mean = f(pos[:1] @ many.mT, z[:1].expand(32, -1)).mean() - orbits.mean[1, 0]
    assert float((maps.SO3().basis(g, degree)[0] @ about)[0]) == pytest.approx(float(mean))


def test_equivariant_vectors_have_no_map():
    def f(pos, z):
        return (z[..., None] * pos).sum(1)[:, None]

    made, _ = known.made(maps.section, known.subject(f, "vector"), known.molecules(4), 5)
    assert made.figures == []
    orbits = resolved(known.subject(f, "vector"), known.molecules(4), Settings())
    with pytest.raises(InputError, match="all sides are alike"):
        maps.section(orbits, Settings())


def test_molecules_without_names_get_their_formula():
    structures = known.molecules(2)
    assert maps.label(structures, 0) == "HHeLi (no. 0)"
