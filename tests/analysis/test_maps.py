"""Maps of functions whose dependence on direction is known."""

import json

import known
import pytest
import torch

from molinv.analysis.orbits import maps, sweep, views
from molinv.analysis.section import Drawing, Sphere, plain

ALONG = {"x": 0, "y": 1, "z": 2}


def linear(axis):
    """The axis's component of a vector of the molecule: pure l = 1."""

    def f(pos, z):
        return 3 + (z[..., None] * pos).sum(1)[:, ALONG[axis]][:, None]

    return f


def moment(structures, i):
    return (structures.z[i][:, None] * structures.pos[i]).sum(0)


def directions():
    lat, lon = torch.meshgrid(views.LATITUDES.deg2rad(), views.LONGITUDES.deg2rad(), indexing="ij")
    return torch.stack([lat.cos() * lon.cos(), lat.cos() * lon.sin(), lat.sin()], -1)


def mapped(function, kind="scalar"):
    subject, structures = known.subject(function, kind), known.molecules(5)
    orbits = sweep(subject, structures, 5)
    return orbits


def test_views_bring_their_direction_to_the_eye():
    g = views.views(views.LATITUDES[:, None], views.LONGITUDES[None])
    eye = torch.tensor([0.0, 0.0, 1.0]).double()
    torch.testing.assert_close((g @ directions()[..., None])[..., 0], eye.expand(*g.shape[:2], 3))
    torch.testing.assert_close(g @ g.mT, torch.eye(3).double().expand_as(g))
    assert (torch.linalg.det(g) > 0).all()


def test_map_of_what_changes_along_the_line_of_sight():
    orbits = mapped(linear("z"))
    away = views.over_directions(orbits, 2, 100, lambda n: None)
    torch.testing.assert_close(away, directions() @ moment(orbits.structures, 2))
    # all of the variance is in the direction
    assert views.mean_square(away) == pytest.approx(float(orbits.variance[2, 0]), rel=1e-9)


def test_turns_in_the_plane_of_view_average_away():
    orbits = mapped(linear("x"))
    away = views.over_directions(orbits, 2, 100, lambda n: None)
    torch.testing.assert_close(away, torch.zeros_like(away), atol=1e-10, rtol=0)


def test_equivariant_vectors_are_the_same_from_everywhere():
    orbits = mapped(lambda pos, z: (z[..., None] * pos).sum(1)[:, None], "vector")
    away = views.over_directions(orbits, 1, 100, lambda n: None)
    assert away.shape == (13, 24)
    assert away.max() < 1e-10


@pytest.mark.parametrize("l", [1, 2, 4, 6])
def test_mean_square_over_the_sphere(l):
    """That of a Legendre polynomial is 1 / (2 l + 1)."""
    value = known.legendre(l, directions()[..., 2])
    assert views.mean_square(value) == pytest.approx(1 / (2 * l + 1), rel=1e-9)


def test_section():
    ticks = []

    def progress(what, total):
        ticks.append(total)
        return lambda n: ticks.append(-n)

    subject, structures = known.subject(linear("z")), known.molecules(9)
    made, orbits = known.made(maps.section, subject, structures, 5, progress=progress)
    order = orbits.variance[:, 0].argsort(descending=True).tolist()
    chosen = [made.numbers[str(k)]["index"] for k in (1, 2, 3, 4)]
    assert chosen == [*order[:3], order[4]], "the three largest spreads and the median"
    assert [type(f) for f in made.figures] == [Sphere, Drawing] * 4
    assert sum(ticks) == 0, "all the work that was announced was reported"
    first = made.numbers["1"]
    assert first["share_by_direction"] == pytest.approx(1, rel=1e-6)
    assert first["standard_deviation"] == pytest.approx(float(orbits.variance[order[0], 0].sqrt()))
    assert first["best"]["error"] <= first["worst"]["error"]
    json.dumps(plain(made.numbers), allow_nan=False)
    # the marked worst direction is the one its rotation brings to the eye
    drawing, sphere = made.figures[1], made.figures[0]
    assert isinstance(drawing, Drawing)
    assert isinstance(sphere, Sphere)
    worst = torch.tensor(first["worst"]["rotation"])
    lat, lon = (torch.tensor(v).double().deg2rad() for v in sphere.marks[2][:2])
    u = torch.stack([lat.cos() * lon.cos(), lat.cos() * lon.sin(), lat.sin()])
    torch.testing.assert_close(worst.double() @ u, torch.tensor([0.0, 0.0, 1.0]).double())
    turned = torch.tensor(drawing.molecules[1][1])
    torch.testing.assert_close(turned, (structures.pos[order[0]] @ worst.double().mT).to(turned))


def test_errors_are_to_the_true_value():
    structures = known.molecules(4, y=torch.zeros(4, 1).double())
    made, orbits = known.made(maps.section, known.subject(linear("z")), structures, 5)
    i = made.numbers["1"]["index"]
    g = orbits.nodes[int(orbits.worst[i])]
    expected = abs(3 + float((g @ moment(structures, i))[2]))
    assert made.numbers["1"]["worst"]["error"] == pytest.approx(expected)
    assert "error" in made.findings[1]


def test_an_invariant_function_is_said_to_be_one():
    made, _ = known.made(
        maps.section,
        known.subject(lambda p, z: p.square().sum((1, 2))[:, None]),
        known.molecules(4),
        5,
    )
    assert "no more than the rounding" in made.findings[0]


def test_molecules_without_names_are_called_by_their_formula():
    structures = known.molecules(2)
    assert maps.label(structures, 0) == "HHeLi (no. 0)"
