"""Every group and every action against its laws; and broken ones, which must fail."""

import math
from copy import deepcopy

import pytest
import torch
from scipy.integrate import quad
from scipy.stats import kstest

from molinv import actions, groups, testing
from molinv.errors import InputError

DTYPES = (torch.float32, torch.float64)
GROUPS = [g for kind in groups.available().values() for g in kind.examples()]
ACTIONS = [kind() for kind in actions.available().values()]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_every_group_obeys_every_law(group, dtype):
    testing.check_group(group, dtype)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("group", GROUPS, ids=str)
@pytest.mark.parametrize("action", ACTIONS, ids=lambda a: type(a).__name__)
def test_every_action_obeys_its_laws(action, group, dtype):
    testing.check_action(action, group, dtype)


@pytest.mark.parametrize("group", [g for g in GROUPS if g.k], ids=str)
def test_exp_is_twice_differentiable_at_zero(group):
    group = deepcopy(group).double()
    zero = torch.zeros(group.k, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(group.exp, zero)
    assert torch.autograd.gradgradcheck(group.exp, zero)


@pytest.mark.parametrize("angle", [1e-8, 1e-3, 0.2499, 0.2501, math.pi - 1e-6, math.pi])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_rotations_are_exact_and_smooth_at_hard_angles(angle, dtype):
    so3 = groups.SO3()
    axis = torch.tensor([0.48, -0.6, 0.64], dtype=torch.float64)
    xi = (axis * angle).to(dtype).requires_grad_()
    g = so3.exp(xi)
    exact = torch.linalg.matrix_exp(so3.algebra(xi.detach().double()))
    assert (g - exact).abs().max() < testing.TOLERANCE[dtype]
    g.sum().backward()
    assert xi.grad is not None
    assert xi.grad.isfinite().all()
    if dtype == torch.float64:
        assert torch.autograd.gradcheck(so3.exp, xi)
        if angle < math.pi:
            back = so3.log(so3.exp(xi))
            assert (back - xi).abs().max() < 1e-9
            if angle < math.pi - 1e-3:
                assert torch.autograd.gradcheck(lambda x: so3.log(so3.exp(x)), xi, atol=1e-4)


def test_haar_on_so3_has_its_known_moments():
    so3 = groups.SO3().double()
    g = so3.haar(40_000, torch.Generator().manual_seed(0)).double()
    trace = g.diagonal(dim1=1, dim2=2).sum(-1)
    assert g.mean(0).abs().max() < 0.02
    assert abs(trace.square().mean() - 1) < 0.03
    assert abs(trace.pow(4).mean() - 3) < 0.2
    angles = so3.log(g).norm(dim=-1).numpy()
    assert kstest(angles, lambda t: (t - torch.tensor(t).sin().numpy()) / math.pi).pvalue > 1e-3


def test_haar_density_integrates_to_one():
    so3 = groups.SO3().double()

    def shell(t):
        xi = torch.tensor([t, 0.0, 0.0], dtype=torch.float64)
        return 4 * math.pi * t**2 * float(so3.haar_density(xi))

    assert quad(shell, 0, math.pi)[0] == pytest.approx(1, abs=1e-9)


def test_preimages_are_the_same_element():
    so3 = groups.SO3().double()
    xi = torch.randn(5, 3, dtype=torch.float64)
    pre = so3.preimages(xi, 3 * math.pi)
    assert len(pre) >= 4
    assert (so3.exp(pre) - so3.exp(xi)).abs().max() < 1e-12


def test_one_runge_kutta_step_is_caught():
    class Published(groups.MatrixGroup):
        def exp(self, xi):
            a = self.algebra(xi)
            eye = torch.eye(3, dtype=xi.dtype)
            return eye + a + a @ a / 2 + a @ a @ a / 6 + a @ a @ a @ a / 24

    with pytest.raises(testing.LawBroken, match="exp"):
        testing.check_group(Published(groups.SO3().generators, caps=[3.0] * 3))


def test_a_wrong_haar_and_open_generators_are_caught():
    class Lopsided(groups.MatrixGroup):
        def haar(self, n, generator=None):
            return groups.SO3().exp(torch.rand(n, 3, generator=generator))

    with pytest.raises(testing.LawBroken, match="haar"):
        testing.check_group(Lopsided(groups.SO3().generators, caps=[3.0] * 3, compact=True))
    with pytest.raises(testing.LawBroken, match="bracket"):
        testing.check_group(groups.MatrixGroup(groups.SO3().generators[:2]))
    with pytest.raises(InputError, match="bracket"):
        groups.MatrixGroup(groups.SO3().generators[:2], closed=True)


def test_a_wrong_action_is_caught():
    class Backwards(actions.Points):
        def act(self, group, g, x):
            return super().act(group, group.inverse(g), x)

    with pytest.raises(testing.LawBroken, match="g h"):
        testing.check_action(Backwards(), groups.SO3())


def test_a_model_that_is_not_invariant_is_caught():
    x = torch.randn(4, 5, 3, dtype=torch.float64)
    so3, inputs, outputs = groups.SO3().double(), actions.Points(), actions.Invariant()
    testing.check_equivariant(lambda p: p.square().sum((1, 2)), so3, inputs, outputs, x)
    testing.check_equivariant(lambda p: p.sum(1), so3, inputs, actions.Vector(), x)
    with pytest.raises(testing.LawBroken):
        testing.check_equivariant(lambda p: p.sum(1), so3, inputs, outputs, x)


def test_names_find_groups_in_and_out_of_tree(tmp_path, monkeypatch):
    assert isinstance(groups.find("Cyclic(5)"), groups.Cyclic)
    (tmp_path / "mine.py").write_text(
        "from molinv.groups import SO2\n\nclass Mine(SO2):\n    pass\n\nready = Mine()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert type(groups.find("mine:Mine")).__name__ == "Mine"
    assert type(groups.find("mine:ready")).__name__ == "Mine"
    for name, hint in [("S03", "SO3"), ("mine:Absent", "package.module"), ("SO3(4)", "SO3")]:
        with pytest.raises(InputError, match=hint):
            groups.find(name)


def test_graph_and_points_move_atoms_equally_and_do_not_change_the_input():
    from torch_geometric.data import Batch, Data

    pos = torch.randn(3, 4, 3)
    batch = Batch.from_data_list([Data(pos=p, v=p.clone()) for p in pos])  # pyright: ignore
    before = batch.pos.clone()
    se3 = groups.SE3()
    g = testing.sample(se3, 3, torch.Generator().manual_seed(0))
    moved = actions.Graph(["v"]).act(se3, g, batch)
    assert torch.allclose(moved.pos.view(3, 4, 3), actions.Points().act(se3, g, pos), atol=1e-5)
    turned = (pos @ g[:, :3, :3].mT).flatten(0, 1)
    assert torch.allclose(moved.v, turned, atol=1e-5)  # a vector has no origin
    assert torch.equal(batch.pos, before)


def test_errors_on_shapes_name_the_expected_shape():
    g = groups.SO3().identity(4)
    with pytest.raises(InputError, match=r"\(b, n, 3\), got \(4, 5, 2\)"):
        actions.Points().act(groups.SO3(), g, torch.zeros(4, 5, 2))
    with pytest.raises(InputError, match="Haar needs a compact"):
        groups.SE3().haar(3)
