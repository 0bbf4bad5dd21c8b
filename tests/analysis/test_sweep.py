"""The pass over molecules and orientations: functions whose averages and powers are known."""

import pytest
import torch

from molinv import InputError, groups, quadrature
from molinv.analysis.orbits import sweep, values_at
from molinv.analysis.subject import Quantity, Structures, Subject
from molinv.groups.wigner import wigner_d

SO3 = groups.SO3()
NAMES = tuple(Quantity(name, "eV") for name in "ab")


def molecules(m=7, dtype=torch.float64, seed=0):
    draw = torch.Generator().manual_seed(seed)
    pos = [torch.randn(3 + i % 4, 3, generator=draw, dtype=dtype) for i in range(m)]
    return Structures(pos, [torch.arange(1, len(p) + 1) for p in pos])


def subject(function, kind="scalar", n=1, dtype=torch.float64):
    return Subject("f", function, NAMES[:n], kind, dtype=dtype)


@pytest.mark.parametrize("degree", range(7))
def test_wigner_functions_are_a_representation(degree):
    draw = torch.Generator().manual_seed(0)
    g, h = SO3.exp(torch.randn(2, 6, 3, generator=draw, dtype=torch.float64))
    d = wigner_d(g @ h, degree)[degree]
    assert d.shape == (6, 2 * degree + 1, 2 * degree + 1)
    torch.testing.assert_close(d, wigner_d(g, degree)[degree] @ wigner_d(h, degree)[degree])
    identity = torch.eye(2 * degree + 1, dtype=torch.float64).expand_as(d)
    torch.testing.assert_close(d @ d.mT, identity)


def test_the_basis_is_orthonormal_under_haar():
    nodes, weights = quadrature.so3(10)
    columns, _ = SO3.basis(nodes, 5)
    gram = columns.mT @ (weights[:, None] * columns)
    torch.testing.assert_close(gram, torch.eye(len(gram), dtype=torch.float64))


def test_powers_of_known_functions():
    def f(pos, z):
        x = pos[:, 0]
        return torch.stack([5 + 2 * x[:, 2], x[:, 0] ** 3], 1)

    given = molecules()
    found = sweep(subject(f, n=2), given)
    r2 = torch.stack([p[0].square().sum() for p in given.pos])
    torch.testing.assert_close(found.mean[:, 0], torch.full((7,), 5.0, dtype=torch.float64))
    torch.testing.assert_close(found.power[:, 0, 1], 4 * r2 / 3)  # the mean of z^2 is r^2 / 3
    torch.testing.assert_close(found.variance[:, 0], 4 * r2 / 3)
    # x^3 = 3/5 r^2 x plus a harmonic of degree 3; the mean of x^6 is r^6 / 7
    torch.testing.assert_close(found.power[:, 1, 1], 9 / 25 * r2**3 / 3)
    torch.testing.assert_close(found.power[:, 1].sum(-1), r2**3 / 7)
    assert (found.power[:, :, [2, 4]] < 1e-25 * (1 + r2[:, None, None] ** 3)).all()


@pytest.mark.parametrize("size", [1, 3, 256])
def test_blocks_make_no_difference(size):
    def f(pos, z):
        return (pos[..., 2] * z).sum(1, keepdim=True)

    whole, parts = (sweep(subject(f), molecules(), 5, s) for s in (100, size))
    for name, a in vars(whole).items():
        if isinstance(a, torch.Tensor):
            torch.testing.assert_close(a, vars(parts)[name], equal_nan=True)


@pytest.mark.parametrize("kind", ["vector", "tensor", "atom vector"])
def test_equivariant_outputs_have_no_variance(kind):
    def f(pos, z):
        vector = (pos * z[..., None]).sum(1)
        if kind == "vector":
            return vector[:, None]
        if kind == "atom vector":
            return (pos * z[..., None])[:, None]
        return (vector[:, :, None] * vector[:, None])[:, None]

    found = sweep(subject(f, kind), molecules())
    assert found.variance.max() < 1e-25 * found.power[..., 0].max()
    turned = sweep(
        subject(
            lambda pos, z: f(pos, z) * pos[:, :1, 2].view(-1, 1, *[1] * (f(pos, z).ndim - 2)), kind
        ),
        molecules(),
    )
    assert (turned.variance > 1e-3).all()


def test_errors_are_means_over_orientations():
    def f(pos, z):
        return pos[:, :1, 2]

    given = molecules()
    y = torch.full((7, 1), 0.5, dtype=torch.float64)
    found = sweep(subject(f), Structures(given.pos, given.z, y))
    pos, z = given.batch(range(7))
    errors = torch.stack([(values_at(subject(f), pos, z, g) - y)[:, 0].abs() for g in found.nodes])
    torch.testing.assert_close(found.error[:, 0], found.weights @ errors)
    torch.testing.assert_close(found.square[:, 0], found.weights @ errors.square())
    assert sweep(subject(f), given).error.isnan().all()


def test_an_invariant_function_is_invariant_to_rounding():
    def f(pos, z):
        return 1e4 + torch.cdist(pos, pos).sum((1, 2), keepdim=True)[:, 0]

    for dtype, most in ((torch.float32, 1e-5), (torch.float64, 1e-10)):
        found = sweep(subject(f, dtype=dtype), molecules(dtype=dtype))
        size = found.power[..., 0].sqrt()
        assert (found.variance.sqrt() < most * size).all()
        assert (found.power[..., 1:].sqrt() < most * size[..., None]).all()


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (lambda pos, z: pos[:, 0], r"\(7, 1\).*got \(7, 3\)"),
        (lambda pos, z: 3.0, "got float"),
        (lambda pos, z: pos[:, :1, 0] * torch.nan, "not finite"),
    ],
)
def test_a_function_of_another_shape_is_refused(function, says):
    with pytest.raises(InputError, match=says):
        sweep(subject(function), molecules())


def test_a_degree_too_low_is_refused():
    with pytest.raises(InputError, match="at least 2"):
        sweep(subject(lambda pos, z: pos[:, :1, 0]), molecules(), 1)
