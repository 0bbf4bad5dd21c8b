"""Groups: exp far from the identity, batches, composition, user-defined groups, bad input."""

import itertools
import math
from copy import deepcopy

import pytest
import torch

from molinv import groups, testing
from molinv.errors import InputError

DTYPES = (torch.float32, torch.float64)
GROUPS = [g for kind in groups.available().values() for g in kind.examples()]
CONTINUOUS = [g for g in GROUPS if g.k]
COMPACT = [g for g in GROUPS if g.compact]
DENSE = [g for g in COMPACT if g.k]


def corners(group, share=1.0):
    """The corners of the box of half-widths share x cap, about 64 of them at most."""
    signs = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0])] * group.k).reshape(-1, group.k)
    return share * signs[:: max(1, len(signs) // 64)].double() * torch.tensor(group.caps).double()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("group", CONTINUOUS, ids=str)
def test_exp_is_exact_out_to_the_corners_of_the_caps(group, dtype):
    group = deepcopy(group).to(dtype)
    parts = [group.a, group.b] if isinstance(group, groups.Compose) else [group]
    xi = corners(group).to(dtype)
    exact = torch.eye(group.d, dtype=torch.float64)
    for part, own in zip(parts, xi.split([p.k for p in parts], -1), strict=True):
        exact = exact @ torch.linalg.matrix_exp(part.algebra(own).double())
    miss = (group.exp(xi) - exact).abs().max() / exact.abs().max().clamp_min(1)
    assert miss < testing.TOLERANCE[dtype]


@pytest.mark.parametrize("batch", [(), (1,), (0,), (3, 1, 2), (2, 0)], ids=str)
@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_batches_of_any_shape(group, batch):
    xi = testing.coefficients(group, *batch, generator=torch.Generator().manual_seed(0))
    g = group.exp(xi)
    assert g.shape == group.inverse(g).shape == (*batch, group.d, group.d)
    assert group.linear(g).shape == (*batch, group.dim, group.dim)
    assert group.identity(*batch).shape == g.shape
    assert group.preimages(xi, 10.0).shape[1:] == xi.shape
    if group.compact:
        assert group.haar_density(xi).shape == batch
    for index in itertools.product(*map(range, batch)):
        assert torch.allclose(group.exp(xi[index]), g[index], atol=1e-6)
    try:
        back = group.log(g)
    except InputError:
        return
    assert back.shape == xi.shape


@pytest.mark.parametrize("group", CONTINUOUS, ids=str)
def test_exp_has_two_derivatives_at_zero_and_far_out(group):
    group = deepcopy(group).double()
    for xi in (torch.zeros(group.k).double(), corners(group, 0.57)[-1]):
        xi = xi.requires_grad_()
        assert torch.autograd.gradcheck(group.exp, xi)
        if group.k <= 6:
            assert torch.autograd.gradgradcheck(group.exp, xi)


@pytest.mark.parametrize("group", CONTINUOUS, ids=str)
def test_first_and_second_derivatives_are_finite_at_zero_in_float32(group):
    xi = torch.zeros(group.k, requires_grad=True)
    weight = torch.randn(group.d, group.d, generator=torch.Generator().manual_seed(0))
    (first,) = torch.autograd.grad((group.exp(xi) * weight).sum(), xi, create_graph=True)
    assert first.isfinite().all()
    if first.requires_grad:  # exp is linear on translations
        (second,) = torch.autograd.grad(first.sum(), xi)
        assert second.isfinite().all()


@pytest.mark.parametrize("group", DENSE, ids=str)
def test_preimages_are_the_same_element_and_all_different(group):
    group = deepcopy(group).double()
    for xi in (testing.coefficients(group, 5), torch.zeros(1, group.k).double()):
        pre = group.preimages(xi, 20.0)
        assert (group.exp(pre) - group.exp(xi)).abs().max() < 1e-12
        gaps = (pre[:, None] - pre[None]).norm(dim=-1)
        assert gaps[~torch.eye(len(pre)).bool()].min() > 1
        assert (pre == xi).all(-1).any(0).all()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("group", COMPACT, ids=str)
def test_haar_draws_are_elements_reproducible_and_of_the_groups_dtype(group, dtype):
    group = deepcopy(group).to(dtype)
    g = group.haar(400, torch.Generator().manual_seed(0))
    assert g.dtype == dtype
    assert torch.equal(g, group.haar(400, torch.Generator().manual_seed(0)))
    eye = torch.eye(group.d, dtype=dtype)
    assert (g @ g.mT - eye).abs().max() < testing.TOLERANCE[dtype]  # all of these are orthogonal
    assert group.haar(0).shape == (0, group.d, group.d)
    if group.k == 0:
        assert group.elements is not None
        counts = (g[:, None] - group.elements).abs().amax((-1, -2)).lt(1e-4).sum(0)
        mean = 400 / len(counts)
        assert counts.sum() == 400
        assert ((counts - mean).abs() <= 5 * math.sqrt(mean)).all()


def test_half_of_the_haar_draws_on_o3_invert():
    det = torch.linalg.det(groups.O3().haar(10_000, torch.Generator().manual_seed(0)))
    assert (det.abs() - 1).abs().max() < 1e-5
    assert abs(det.mean()) < 5 / math.sqrt(10_000)


def test_compose_multiplies_left_by_right():
    both = groups.Compose(groups.SE2(), groups.SE2()).double()
    xi = testing.coefficients(both, 3, generator=torch.Generator().manual_seed(0))
    a, b = both.a.exp(xi[:, :3]), both.b.exp(xi[:, 3:])
    assert torch.equal(both.exp(xi), a @ b)
    assert both.homogeneous
    with pytest.raises(InputError, match="same space"):
        groups.Compose(groups.SO3(), groups.T(3))  # 3 x 3 on 4 x 4
    with pytest.raises(InputError, match="same space"):
        groups.Compose(groups.SO3(), groups.SE2())  # both 3 x 3: one is homogeneous


def test_a_group_of_the_users_own():
    so3 = groups.SO3()
    own = groups.MatrixGroup(so3.generators.tolist(), caps=[3.0] * 3, closed=True)
    testing.check_group(own)
    whole = groups.MatrixGroup(torch.tensor([[[0, -1], [1, 0]]]))  # whole numbers
    assert whole.exp(torch.ones(1)).dtype == torch.float32
    called = []

    def exp(xi):
        called.append(xi.shape)
        return so3.exp(xi)

    testing.check_group(groups.MatrixGroup(so3.generators, caps=[3.0] * 3, exp=exp))
    assert called
    with pytest.raises(InputError, match="wx and wy leaves"):
        groups.MatrixGroup(so3.generators[:2], names=["wx", "wy"], closed=True)
    with pytest.raises(InputError, match="finite"):
        groups.MatrixGroup([[[math.nan]]])
    with pytest.raises(InputError, match=r"\(k, d, d\), got \(3, 3\)"):
        groups.MatrixGroup(torch.zeros(3, 3))
    with pytest.raises(InputError, match="one name, unit and cap"):
        groups.MatrixGroup(so3.generators, names=["a"])


def test_groups_without_haar_raise_an_input_error():
    circle = groups.MatrixGroup([[[0.0, -1], [1, 0]]], compact=True, caps=[3.0])
    testing.check_group(circle)
    with pytest.raises(InputError, match="Haar needs"):
        circle.haar(3)
    with pytest.raises(InputError, match="no Haar density"):
        circle.haar_density(torch.zeros(1, 1))
    for group in GROUPS:
        if not group.compact:
            with pytest.raises(InputError, match="Haar"):
                group.haar(3)
            with pytest.raises(InputError, match="Haar"):
                group.haar_density(torch.zeros(1, group.k))


@pytest.mark.parametrize("group", CONTINUOUS, ids=str)
def test_coefficients_of_the_wrong_length_are_refused(group):
    if isinstance(group, groups.Compose | groups.SE2 | groups.SE3):
        return  # their parts raise the error
    with pytest.raises(InputError, match=r"expected coefficients \(\.\.\., \d+\), got \(5, 17\)"):
        group.exp(torch.zeros(5, 17))


def test_names_of_the_affine_generators_are_right():
    plane, space = groups.Affine2(), groups.Affine3()
    stretch = plane.exp(torch.tensor([0.0, 0, 0, 0, math.log(2), 0]))
    assert torch.allclose(stretch, torch.diag(torch.tensor([2.0, 0.5, 1])), atol=1e-6)
    squeeze = torch.zeros(12)
    squeeze[space.names.index("squeeze_yz")] = math.log(2)
    assert torch.allclose(space.exp(squeeze), torch.diag(torch.tensor([1, 2.0, 0.5, 1])), atol=1e-6)
    turn = torch.zeros(12)
    turn[space.names.index("wz")] = math.pi / 2
    x = torch.tensor([1.0, 0, 0, 1])
    assert torch.allclose(space.exp(turn) @ x, torch.tensor([0.0, 1, 0, 1]), atol=1e-6)
    turn = torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 0]])
    shear = torch.tensor([[0.0, 1, 0], [1, 0, 0], [0, 0, 0]])
    assert torch.equal(plane.generators[2], turn)
    assert torch.equal(plane.generators[5], shear)
    for name in ("shear_yz", "shear_xz", "shear_xy", "squeeze_xy", "squeeze_yz", "scale"):
        generator = space.generators[space.names.index(name)]
        assert torch.equal(generator, generator.mT)  # symmetric: no rotation in it
        assert (generator.trace() == 0) == (name != "scale")
    for group, count in ((plane, 7), (space, 13)):
        rank = torch.linalg.matrix_rank(group.generators.flatten(1))
        assert rank == group.k == count - 1


@pytest.mark.parametrize("n", [1, 2, 6, 7, 24])
def test_larger_cyclic_groups_close(n):
    testing.check_group(groups.Cyclic(n))
    testing.check_group(groups.Cyclic(n, 3), torch.float32)
