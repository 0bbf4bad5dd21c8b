"""Rotations where floating point is hard: near 0, at the series' end, near pi."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import kstest

from molinv import groups
from molinv.groups.exponential import excess_over, sin_over, versine_over
from molinv.groups.so3 import from_quaternion, to_quaternion

SO3 = groups.SO3
AXES = torch.nn.functional.normalize(
    torch.tensor(
        [[1, 0, 0], [0, 1, 0], [0, 0, -1], [1, 1, 1], [1, -1, 0], [-3, 1e-3, 1e-9], [0.3, -2, 1]],
        dtype=torch.float64,
    ),
    dim=-1,
)
ANGLES = [0.0, 1e-12, 1e-8, 1e-4, 0.0199, 0.0201, 0.2499999, 0.2500001, 1.0, 1.6, 2.1, 3.0]
CLOSE = [math.pi - 1e-3, math.pi - 1e-6, math.pi - 1e-8]


@pytest.mark.parametrize("angle", ANGLES + CLOSE)
def test_log_undoes_exp_about_every_axis(angle):
    xi = AXES * angle
    back = SO3().log(SO3().exp(xi))
    assert (back - xi).abs().max() < 1e-12
    single = xi.float()
    assert (SO3().log(SO3().exp(single)) - single).abs().max() < 2e-6 or angle > math.pi - 1e-5
    assert SO3().log(SO3().exp(single)).isfinite().all()


def test_log_at_pi_is_one_of_the_two_logarithms():
    for dtype, tolerance in ((torch.float64, 1e-12), (torch.float32, 1e-5)):
        xi = (AXES * math.pi).to(dtype)
        back = SO3().log(SO3().exp(xi))
        assert (back.norm(dim=-1) - math.pi).abs().max() < tolerance
        assert (SO3().exp(back) - SO3().exp(xi)).abs().max() < tolerance


def test_log_is_relatively_exact_for_tiny_rotations():
    for angle in (1e-12, 1e-8, 1e-4, 1e-2):
        xi = AXES * angle
        assert ((SO3().log(SO3().exp(xi)) - xi).norm(dim=-1) / angle).max() < 1e-12


@pytest.mark.parametrize("angle", [0.0, 1e-8, 0.02, 0.25, 1.5, 3.1, math.pi - 1e-3])
def test_log_has_a_correct_derivative(angle):
    xi = (AXES[3:] * angle).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: SO3().log(SO3().exp(x)), xi, atol=1e-5)
    g = SO3().exp(xi.detach()[-1]).requires_grad_()
    assert torch.autograd.gradcheck(SO3().log, g, atol=1e-5)
    # log's Jacobian is the inverse of exp's, for every axis
    for x in xi.detach():
        jacobian = torch.autograd.functional.jacobian(lambda x: SO3().log(SO3().exp(x)), x)
        assert torch.allclose(torch.as_tensor(jacobian), torch.eye(3).double(), atol=1e-8)


def test_log_has_finite_gradients_at_the_identity_in_float32():
    g = torch.eye(3).expand(2, 3, 3).clone().requires_grad_()
    SO3().log(g).sum().backward()
    assert g.grad is not None
    assert g.grad.isfinite().all()


@pytest.mark.parametrize("angle", [0.0, 0.2499999, 0.2500001, math.pi - 1e-6, math.pi, 5.0])
def test_exp_has_two_correct_derivatives(angle):
    xi = (AXES[3:5] * angle).requires_grad_()
    assert torch.autograd.gradcheck(SO3().exp, xi)
    assert torch.autograd.gradgradcheck(SO3().exp, xi)


@pytest.mark.parametrize("function", [sin_over, versine_over, excess_over])
def test_value_and_derivatives_are_continuous_where_the_series_ends(function):
    for dtype, tolerance in ((torch.float64, 1e-11), (torch.float32, 2e-5)):
        edge = torch.tensor(0.0625, dtype=dtype)
        sides = [torch.nextafter(edge, edge - 1), edge]
        values = []
        for at in sides:
            s = at.clone().requires_grad_()
            value = function(s)
            (first,) = torch.autograd.grad(value, s, create_graph=True)
            (second,) = torch.autograd.grad(first, s)
            values.append(torch.stack([value.detach(), first.detach(), second]))
        scale = torch.tensor([1.0, 1e2, 1e4]).to(dtype)  # each derivative loses digits
        assert ((values[0] - values[1]).abs() / scale).max() < tolerance


def test_the_three_functions_against_longdouble():
    square = torch.linspace(0.01, 6.0, 4000, dtype=torch.float64) ** 2
    t = np.sqrt(square.numpy().astype(np.longdouble))
    for function, exact in (
        (sin_over, np.sin(t) / t),
        (versine_over, 2 * (np.sin(t / 2) / t) ** 2),
        (excess_over, (t - np.sin(t)) / t**3),
    ):
        miss = np.abs(function(square).numpy() - exact)
        assert miss.max() < 2e-15
        assert miss[t < 0.249].max() < 1e-15  # mostly the rounding of the reference
        assert np.abs(function(square.float()).numpy() - exact).max() < 1e-6


def test_quaternions_go_there_and_back_on_every_branch():
    q = torch.randn(2000, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    q = torch.cat([q, torch.eye(4).double(), torch.eye(4).double() + 1e-9])
    q = torch.nn.functional.normalize(q, dim=-1)
    back = to_quaternion(from_quaternion(q))
    assert torch.minimum((back - q).norm(dim=-1), (back + q).norm(dim=-1)).max() < 1e-12
    assert (back[:, 0] >= 0).all()


def test_haar_has_every_moment_up_to_degree_two_and_known_traces():
    n = 40_000
    so3 = SO3().double()
    g = so3.haar(n, torch.Generator().manual_seed(0))
    trace = g.diagonal(dim1=1, dim2=2).sum(-1)
    for power, exact in ((1, 0), (2, 1), (3, 1), (4, 3)):
        values = trace**power
        assert abs(values.mean() - exact) < 5 * values.std() / math.sqrt(n)
    products = torch.einsum("nij,nkl->nijkl", g, g)
    eye = torch.eye(3).double()
    exact = torch.einsum("ik,jl->ijkl", eye, eye) / 3
    assert ((products.mean(0) - exact).abs() <= 5 * products.std(0) / math.sqrt(n)).all()
    angles = so3.log(g).norm(dim=-1).numpy()
    assert kstest(angles, lambda t: (t - np.sin(t)) / math.pi, method="asymp").pvalue > 1e-3


def test_haar_density_is_the_jacobian_of_exp():
    so3 = SO3().double()
    for angle in (0.0, 0.1, 2.0, 3.5, 5.4):
        xi = AXES[-1] * angle
        inverse = so3.inverse(so3.exp(xi))
        # the tangent of exp, moved to the identity, in coefficients of the algebra
        columns = torch.as_tensor(torch.autograd.functional.jacobian(so3.exp, xi)).movedim(-1, 0)
        tangent = inverse @ columns
        jacobian = torch.stack([tangent[:, 2, 1], tangent[:, 0, 2], tangent[:, 1, 0]], -1)
        exact = float(torch.linalg.det(jacobian).abs()) / (8 * math.pi**2)
        assert float(so3.haar_density(xi)) == pytest.approx(exact, abs=1e-14)
    ball = quad(lambda t: 4 * math.pi * t**2 * float(so3.haar_density(AXES[-1] * t)), 0, math.pi)
    assert ball[0] == pytest.approx(1, abs=1e-9)


def test_log_on_o3_finds_the_rotation_of_an_inverting_element():
    o3 = groups.O3().double()
    xi = AXES * 2.5
    assert (o3.log(-o3.exp(xi)) - xi).abs().max() < 1e-12
    g = o3.haar(50, torch.Generator().manual_seed(0))
    assert (o3.inverse(g) @ g - torch.eye(3).double()).abs().max() < 1e-12
