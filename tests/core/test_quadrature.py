"""Quadrature rules against independent integrals over Euler angles."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import lebedev_rule

from molinv import groups, quadrature
from molinv.errors import InputError
from molinv.groups import rules
from molinv.groups.wigner import wigner_d


def euler(degree):
    """An independent rule: z-y-z angles, Gauss-Legendre in the cosine of the middle one."""
    cosine, weight = np.polynomial.legendre.leggauss(degree // 2 + 1)
    turns = np.arange(degree + 1) * 2 * math.pi / (degree + 1)
    a, b, c = (x.ravel() for x in np.meshgrid(turns, np.arccos(cosine), turns, indexing="ij"))

    def about(axis, angle):
        g = np.zeros((len(angle), 3, 3))
        i, j = {"z": (0, 1), "y": (2, 0)}[axis]
        k = 3 - i - j
        g[:, i, i] = g[:, j, j] = np.cos(angle)
        g[:, i, j], g[:, j, i], g[:, k, k] = -np.sin(angle), np.sin(angle), 1
        return g

    w = np.broadcast_to(weight[None, :, None], (len(turns), len(weight), len(turns))).ravel()
    g = about("z", a) @ about("y", b) @ about("z", c)
    return torch.from_numpy(g), torch.from_numpy(w / w.sum())


def polynomials(g, degree, count=12):
    """Products of `degree` random linear forms: they contain every D^l with l <= degree."""
    forms = torch.randn(
        count, degree, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(degree)
    )
    value = torch.ones(len(g), count, dtype=torch.float64)
    for i in range(degree):
        value = value * torch.einsum("nij,cij->nc", g, forms[:, i])
    return value


@pytest.mark.parametrize("degree", [1, 2, 3, 4, 5, 6, 8, 11, 12, 14])
def test_every_polynomial_up_to_the_degree_is_averaged_exactly(degree):
    g, w = quadrature.so3(degree)
    fine, v = euler(degree)
    for lower in range(degree + 1):
        value, other = polynomials(g, lower), polynomials(fine, lower)
        size = (v @ other.square()).sqrt()
        assert ((w @ value - v @ other).abs() / size).max() < 1e-12


@pytest.mark.parametrize("degree", [1, 2, 3, 5, 9, 12])
def test_one_degree_more_is_not_exact(degree):
    """Every D^(L+1) averages to 0 over all rotations."""
    g, w = quadrature.so3(degree)
    mean = torch.einsum("n,nij->ij", w, wigner_d(g, degree + 1)[degree + 1])
    assert mean.abs().max() > 0.05
    exact, v = quadrature.so3(degree + 1)
    mean = torch.einsum("n,nij->ij", v, wigner_d(exact, degree + 1)[degree + 1])
    assert mean.abs().max() < 1e-12


@pytest.mark.parametrize(("degree", "n"), [(0, 1), (1, 4), (2, 12), (3, 24), (4, 60), (5, 60)])
def test_finite_groups_are_the_smallest_rules(degree, n):
    g, w = quadrature.rule(groups.SO3(), degree)
    assert len(g) == n
    for l, d in enumerate(wigner_d(g, degree)[1:], 1):
        mean = torch.einsum("n,nij->ij", w, d)
        assert mean.abs().max() < 1e-14, l


@pytest.mark.parametrize("degree", [3, 9, 15, 30])
def test_all_characters_except_the_trivial_one_average_to_zero(degree):
    g, w = quadrature.so3(degree)
    cosine = ((g.diagonal(dim1=1, dim2=2).sum(-1) - 1) / 2).clamp(-1, 1)
    angle = cosine.acos()
    character = torch.zeros_like(angle)
    for level in range(degree + 1):
        character = character + (2 * (level * angle).cos() if level else 1.0)
        assert abs(float((w * character).sum()) - (level == 0)) < 1e-6  # acos near 1 costs digits


@pytest.mark.parametrize("degree", range(0, 48))
def test_weights_are_positive_and_nodes_are_rotations(degree):
    g, w = quadrature.so3(degree)
    assert g.dtype == w.dtype == torch.float64
    assert len(g) == len(w)
    assert (w > 0).all()
    assert float(w.sum()) == pytest.approx(1, abs=1e-12)
    assert (g @ g.mT - torch.eye(3).double()).abs().max() < 1e-14
    assert (torch.linalg.det(g) - 1).abs().max() < 1e-13


def test_all_orders_in_use_have_positive_weights_and_serve_up_to_131():
    for order in rules._ORDERS:
        assert (lebedev_rule(order)[1] > 0).all()
    for left_out in (13, 25, 27):
        assert (lebedev_rule(left_out)[1] < 0).any()
    assert len(quadrature.so3(100)[0]) == len(lebedev_rule(101)[1]) * 101
    assert len(quadrature.so3(9)[0]) == 380


def test_the_rule_on_so2():
    for degree in (0, 1, 5):
        g, w = quadrature.rule(groups.SO2(), degree)
        angle = torch.atan2(g[:, 1, 0], g[:, 0, 0])
        for m in range(1, degree + 1):
            assert abs((w * torch.exp(1j * m * angle)).sum()) < 1e-14
        assert abs((w * torch.exp(1j * (degree + 1) * angle)).sum()) == pytest.approx(1)


def test_finite_and_composed_groups():
    g, w = quadrature.rule(groups.Cyclic(5), 1)
    assert torch.equal(g, groups.Cyclic(5).double().elements)
    assert (w == 0.2).all()

    g, w = quadrature.rule(groups.O3(), 3)
    assert (torch.linalg.det(g) * w).sum().abs() < 1e-12  # degree 3, and not constant on O3
    assert (g @ g.mT - torch.eye(3).double()).abs().max() < 1e-12

    # the circle contains these three rotations already
    g, w = quadrature.rule(groups.Compose(groups.SO2(), groups.Cyclic(3)), 4)
    assert len(g) == 5
    assert float(w.sum()) == pytest.approx(1)


def test_every_compact_group_has_a_rule_and_others_raise_an_input_error():
    for kind in groups.available().values():
        for group in kind.examples():
            if group.compact:
                g, w = quadrature.rule(group, 2)
                assert g.shape == (len(w), group.d, group.d)
                draws = group.double().haar(20_000, torch.Generator().manual_seed(0))
                for f in (lambda g: g, torch.square):
                    error = f(draws).std(0) / math.sqrt(20_000)
                    mean = (f(g) * w[:, None, None]).sum(0)
                    assert ((mean - f(draws).mean(0)).abs() <= 5 * error + 1e-6).all()
            else:
                with pytest.raises(InputError, match="no quadrature is known"):
                    quadrature.rule(group, 2)


@pytest.mark.parametrize("degree", [-1, 132])
def test_unsupported_degrees_are_refused(degree):
    with pytest.raises(InputError, match="expected a degree"):
        quadrature.so3(degree)
    with pytest.raises(InputError, match="expected a degree"):
        quadrature.rule(groups.SO2(), min(degree, -1))


def test_the_spiral_spreads_evenly():
    for n in (1, 7, 1000):
        g = quadrature.super_fibonacci(n)
        assert g.shape == (n, 3, 3)
        assert (torch.linalg.det(g) - 1).abs().max() < 1e-12
        assert (g @ g.mT - torch.eye(3).double()).abs().max() < 1e-12
    spread = quadrature.super_fibonacci(1000)
    drawn = groups.SO3().double().haar(1000, torch.Generator().manual_seed(0))
    assert spread.mean(0).abs().max() < 0.003 < drawn.mean(0).abs().max()

    def nearest(g):
        trace = torch.einsum("nij,mij->nm", g, g) - 4 * torch.eye(len(g)).double()
        return float(((trace.amax(1) - 1) / 2).acos().min())

    assert nearest(spread) > 5 * nearest(drawn)
