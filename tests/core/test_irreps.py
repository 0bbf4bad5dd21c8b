"""Irreps agree with e3nn in every degree, and their gradient is finite at the identity."""

from copy import deepcopy

import pytest
import torch
from e3nn import o3

from molinv import InputError, actions, groups, testing
from molinv.groups.wigner import harmonics, wigner_d

TEXT = "3x0e + 0o + 2x1o + 1e + 2e + 3o + 4e"


def rotations(n=8):
    return groups.SO3().double().haar(n, torch.Generator().manual_seed(0)).double()


def test_harmonics_and_their_rotations_are_those_of_e3nn():
    r = torch.nn.functional.normalize(torch.randn(40, 3, dtype=torch.float64), dim=1)
    g = rotations(5)
    for l, d in enumerate(wigner_d(g, 11)):
        assert torch.allclose(
            harmonics(r, l), o3.spherical_harmonics(l, r, True, "component"), atol=1e-12
        )
        turned = o3.spherical_harmonics(l, r @ g.mT, True, "component")
        assert torch.allclose(turned, harmonics(r, l) @ d.mT, atol=1e-11)
        assert torch.allclose(d @ d.mT, torch.eye(2 * l + 1).double(), atol=1e-11)
        if l < 6:  # e3nn's D goes through Euler angles and loses digits
            assert torch.allclose(d, o3.Irrep(l, 1).D_from_matrix(g), atol=1e-5)


def test_reflections_of_every_parity_agree_with_e3nn():
    o3_group, action = groups.O3().double(), actions.Irreps(TEXT)
    irreps, generator = o3.Irreps(TEXT), torch.Generator().manual_seed(1)
    assert irreps.dim == action.dim
    g = testing.sample(o3_group, 16, generator)
    assert len(torch.linalg.det(g).round().unique()) == 2
    x = torch.randn(16, 3, action.dim, generator=generator, dtype=torch.float64)
    expected = torch.einsum("bij,bmj->bmi", irreps.D_from_matrix(g), x)
    assert torch.allclose(action.act(o3_group, g, x), expected, atol=1e-5)


def test_degree_1_is_a_vector_and_degree_2_a_traceless_tensor():
    so3, g = groups.SO3().double(), rotations(4)
    v = torch.randn(4, 5, 3, dtype=torch.float64)
    assert torch.allclose(
        actions.Irreps("1o").act(so3, g, v), actions.Vector().act(so3, g, v), atol=1e-12
    )
    couple = o3.wigner_3j(1, 1, 2, dtype=torch.float64)
    tensor = actions.SymmetricTensor().example(torch.Generator().manual_seed(0), so3)
    five = torch.einsum("bmij,ijk->bmk", tensor, couple)
    turned = actions.SymmetricTensor().act(so3, g, tensor)
    there = torch.einsum("bmij,ijk->bmk", turned, couple)
    assert torch.allclose(actions.Irreps("2e").act(so3, g, five), there, atol=1e-12)


def test_the_gradient_at_the_identity_is_finite_and_right():
    so3, action = groups.SO3().double(), actions.Irreps("0e + 1o + 2e + 3o")
    x = torch.randn(1, action.dim, dtype=torch.float64)
    zero = torch.zeros(1, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda xi: action.act(so3, so3.exp(xi), x), zero)
    angles = torch.zeros(1, 3, dtype=torch.float64, requires_grad=True)
    theirs = o3.Irrep(2, 1).D_from_matrix(so3.exp(angles)).sum()
    # the reason not to use e3nn's D
    assert not torch.autograd.grad(theirs, angles)[0].isfinite().all()


def test_invalid_irreps_and_groups_are_refused():
    for text in ("", "1x1", "2y", "12e", "1o + "):
        with pytest.raises(InputError, match="Irreps: expected terms such as"):
            actions.Irreps(text)
    action, so3 = actions.Irreps("1o"), groups.SO3()
    with pytest.raises(InputError, match=r"expected 4 x \(\.\.\., 3\), got \(4, 5\)"):
        action.act(so3, so3.identity(4), torch.zeros(4, 5))
    for group in (groups.Affine3(), groups.SO2(), groups.Scaling(3)):
        with pytest.raises(InputError, match="a group of rotations and reflections"):
            action.check(group)
    for group in (so3, groups.O3(), groups.SE3(), groups.Reflection(3), groups.T(3)):
        action.check(group)
        testing.check_action(action, deepcopy(group))
