"""Learned generators: their constraints and gradients, and the spans they are compared by."""

import math
from copy import deepcopy

import pytest
import torch

from molinv import distributions as D
from molinv import groups, testing
from molinv.errors import InputError


def seed(n=0):
    return torch.Generator().manual_seed(n)


@pytest.mark.parametrize("how", [{}, {"compact": True}, {"homogeneous": True}], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_generators_stay_orthogonal_and_of_norm_sqrt_2(how, dtype):
    basis = groups.LearnedBasis(3, 4, generator=seed(), **how).to(dtype)
    optimizer = torch.optim.Adam(basis.parameters(), 0.3)
    goal = torch.randn(3, 4, 4, generator=seed(1)).to(dtype)
    for _ in range(5):
        flat = basis.generators.flatten(1)
        gram = flat @ flat.mT
        assert torch.allclose(gram, 2 * torch.eye(3, dtype=dtype), atol=testing.TOLERANCE[dtype])
        if how.get("compact"):
            generators = basis.generators
            assert torch.allclose(generators, -generators.mT, atol=testing.TOLERANCE[dtype])
        if how.get("homogeneous"):
            assert (basis.generators[:, -1] == 0).all()
        optimizer.zero_grad()
        (basis.generators * goal).sum().backward()
        optimizer.step()
    assert torch.allclose(groups.SO3().generators.square().sum((1, 2)), torch.tensor(2.0))
    assert dict(basis.named_parameters()).keys() == {"directions"}
    assert basis.state_dict().keys() == {"directions"}


def test_gradients_reach_the_generators_and_are_right():
    basis = groups.LearnedBasis(3, 3, generator=seed()).double()
    for kind in (D.UniformBox, D.Gaussian):
        mu = kind(basis, init=0.5).double()
        noise = mu.noise(20, seed()).double()

        def value(directions, mu=mu, noise=noise):
            g = torch.func.functional_call(mu, {"group.directions": directions}, noise)
            return g.sin().square().mean()

        mu.forward = mu.transform  # what functional_call runs
        assert torch.autograd.gradcheck(value, basis.directions.detach().clone().requires_grad_())
        value(basis.directions).backward()
        assert basis.directions.grad.abs().sum() > 0


def test_a_copy_is_independent():
    basis = groups.LearnedBasis(2, 3, generator=seed())
    other = deepcopy(basis)
    with torch.no_grad():
        other.directions.add_(1)
    assert not torch.allclose(basis.generators, other.generators)
    assert str(basis) == "LearnedBasis(2, 3)"
    assert isinstance(groups.find("LearnedBasis(3, 3)"), groups.LearnedBasis)
    assert not groups.LearnedBasis(2, 3).compact
    assert groups.LearnedBasis(2, 3, compact=True).compact
    first = groups.LearnedBasis(2, 3, generator=seed())
    assert torch.equal(basis.directions, first.directions)


def test_the_span_in_use_does_not_depend_on_its_basis():
    so3 = groups.SO3().double()
    mixing = torch.eye(3).double() + 0.3 * torch.randn(3, 3, generator=seed()).double()
    mixed = torch.einsum("ij,jab->iab", mixing, so3.generators)
    for extents in (torch.tensor([1.0, 1.0, 1.0]), torch.tensor([3.0, 2.0, 1.0])):
        used = groups.span(mixed, extents)
        assert len(used) == 3
        assert groups.cosines(used, so3.generators).min() > 1 - 1e-6
        flat = used.flatten(1)
        assert torch.allclose(flat @ flat.mT, torch.eye(3).double(), atol=1e-12)
    one = groups.span(so3.generators, torch.tensor([0.05, 0.05, 3.0]))
    assert len(one) == 1
    assert groups.cosines(one, so3.generators[2:]).min() > 1 - 1e-6
    assert len(groups.span(so3.generators, torch.tensor([0.31, 0.05, 3.0]))) == 2  # 10 % counts
    # a Gaussian's covariance, along an axis other than x, y and z
    n = torch.tensor([1.0, 2, 2]).double() / 3
    covariance = torch.outer(n, n) + 1e-3 * torch.eye(3).double()
    leading = groups.span(so3.generators, covariance)
    assert len(leading) == 1
    assert groups.cosines(leading, groups.About(1, 2, 2).generators).min() > 1 - 1e-6


def test_principal_angles_have_known_values():
    so3 = groups.SO3().generators.double()
    tilt = 0.3
    turned = torch.cat([math.cos(tilt) * so3[:1] + math.sin(tilt) * so3[1:2], so3[2:]])
    found = groups.cosines(so3[[0, 2]], turned)
    assert found.tolist() == pytest.approx([1, math.cos(tilt)])
    scale = torch.eye(3).double()[None]
    assert groups.cosines(so3, scale).tolist() == pytest.approx([0], abs=1e-12)


def test_too_many_generators_are_refused():
    for k, d, how, most in [
        (10, 3, {}, 9),
        (0, 3, {}, 9),
        (4, 3, {"compact": True}, 3),
        (7, 3, {"homogeneous": True}, 6),
    ]:
        with pytest.raises(InputError, match=f"from 1 to {most} generators"):
            groups.LearnedBasis(k, d, **how)
    with pytest.raises(InputError, match="not compact"):
        groups.LearnedBasis(2, 3, compact=True, homogeneous=True)


def test_random_generators_do_not_pass_as_a_group():
    with pytest.raises(testing.LawBroken, match="bracket"):
        testing.check_group(groups.LearnedBasis(3, 3, generator=seed()))
