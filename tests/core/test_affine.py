"""Affine maps of the plane against torch's matrix exponential, also where A is singular."""

import math

import pytest
import torch

from molinv import groups, testing
from molinv.groups.base import Group, matrix_exp


def coefficients(kind):
    """Coefficients (200, 6) of Affine2 in float64, whose linear part is of the given kind."""
    xi = torch.randn(200, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    if kind == "tiny":
        return 1e-5 * xi
    if kind == "no inverse":  # eigenvalues 2 s and 0
        xi[:, 3], xi[:, 2] = xi[:, 4].square().add(xi[:, 5].square()).sqrt(), 0
    if kind == "no eigenbasis":  # a double eigenvalue s with one eigenvector
        xi[:, 2] = xi[:, 4].square().add(xi[:, 5].square()).sqrt()
    if kind == "turns":
        xi[:, 2] = torch.linspace(-4 * math.pi, 4 * math.pi, 200, dtype=torch.float64)
        xi[:, 3:] = 0
    return xi


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("kind", ["any", "tiny", "no inverse", "no eigenbasis", "turns"])
def test_the_closed_form_and_its_gradient_match_the_matrix_exponential(kind, dtype):
    group = groups.Affine2().to(dtype)
    xi = coefficients(kind).to(dtype).requires_grad_()
    up = torch.randn(200, 3, 3, generator=torch.Generator().manual_seed(1), dtype=dtype)
    pairs = []
    for exp in (group.exp, lambda x: Group.exp(group, x)):
        g = exp(xi)
        (slope,) = torch.autograd.grad((g * up).sum(), xi)
        pairs.append((g.detach(), slope))
    for ours, theirs in zip(*pairs, strict=True):
        size = theirs.flatten(1).abs().amax(1).clamp_min(1).view(-1, *[1] * (theirs.ndim - 1))
        assert ((ours - theirs).abs() / size).max() < testing.TOLERANCE[dtype]


def test_the_exponential_is_as_accurate_for_one_matrix_as_for_a_batch():
    for w in torch.linspace(0.01, 1, 100, dtype=torch.float64):
        exact = torch.stack([w.exp(), (-w).exp()])
        for batch in ((), (1,)):
            a = torch.diag(torch.stack([w, -w])).expand(*batch, 2, 2)
            assert (matrix_exp(a).diagonal(dim1=-2, dim2=-1) - exact).abs().max() < 1e-14
