"""Lie derivatives: known answers, and central differences where there are none."""

import pytest
import torch
from lie_nets import Attention, invariant, linear, molecules, quadrupole, subject
from torch import nn

from molinv import InputError, groups, models
from molinv.analysis.lie.derivatives import derivatives, group_of, measure
from molinv.analysis.lie.differences import check, difference
from molinv.analysis.orbits import sweep
from molinv.analysis.settings import Settings
from molinv.analysis.subject import Quantity, Subject
from molinv.datasets.batches import Batch
from molinv.distributions import UniformBox

SETTINGS = Settings()
MIXED = molecules(3, 5, 4)


def model(name, dtype=torch.float64, **settings):
    """A model of molinv as a subject."""
    torch.manual_seed(0)
    net = models.make(name, 2, settings).to(dtype).eval()

    def call(pos, z):
        return net(*net.inputs(Batch(pos, z, pos.new_zeros(len(z), 1), torch.arange(len(z)))))

    kind = settings.get("output", "scalar")
    return Subject(name, call, (Quantity("a", ""), Quantity("b", "")), kind, net, dtype=dtype)


def whole(subject_, structures, group=None):
    pos, z = structures.batch(range(len(structures)))
    return derivatives(subject_, pos, z, group_of(subject_) if group is None else group)


def test_along_each_generator_of_a_linear_function():
    pos, z = MIXED.batch(range(3))
    value, found = whole(subject(linear), MIXED)
    zx, zy = ((z * pos[..., i]).sum(1, keepdim=True) for i in (0, 1))
    # a turn about x takes y into z, one about y takes z into x, so x into -z
    expected = torch.stack([zy, -zx, torch.zeros_like(zx)])
    assert torch.allclose(found, expected, atol=1e-12)
    assert torch.equal(value, linear(pos, z))
    assert whole(subject(invariant), MIXED)[1].abs().max() < 1e-12


@pytest.mark.parametrize(
    ("group", "function", "kind", "expected"),
    [
        # atoms move, padding does not: as many angstrom as there are atoms
        (groups.T(3), lambda p, z: p.sum(1)[:, :1], "scalar", [[3.0, 5, 4], [0.0] * 3, [0.0] * 3]),
        (groups.Scaling(3), lambda p, z: invariant(p, z), "scalar", "twice"),
        (groups.SE3(), lambda p, z: (p - p.sum(1, keepdim=True)).sum(1)[:, None], "vector", None),
    ],
)
def test_groups_that_are_not_rotations(group, function, kind, expected):
    value, found = whole(subject(function, kind=kind), MIXED, group)
    if expected == "twice":
        assert torch.allclose(found[0], 2 * value)
    elif expected is None:
        assert found[3:].abs().max() < 1e-12  # a vector turns
        assert found[:3].abs().max() > 1  # and is not free of translations
    else:
        assert torch.allclose(found[..., 0], torch.tensor(expected).double())


@pytest.mark.parametrize("kind", ["vector", "tensor", "atom vector", "atom scalar"])
def test_equivariant_functions_have_no_lie_derivative(kind):
    def function(pos, z):
        outer = torch.einsum("bn,bni,bnj->bij", z.to(pos), pos, pos)
        weighted = pos * z[..., None]
        made = {"vector": weighted.sum(1), "tensor": outer, "atom vector": weighted}
        return (made | {"atom scalar": pos.square().sum(-1)})[kind][:, None]

    assert whole(subject(function, kind=kind), MIXED)[1].abs().max() < 1e-12
    fixed = subject(lambda p, z: function(p, z) + 1, kind=kind)
    moved = whole(fixed, MIXED)[1].abs().max()
    assert moved == 0 if kind == "atom scalar" else moved > 0.9  # what stands still does not turn


CASES = [("point", {"width": 32, "layers": 2}), ("graph", {"width": 16, "layers": 2})]
CASES += [("painn", {"width": 16, "output": "vector"}), ("painn", {"width": 16})]
GROUPS = [groups.SO3(), groups.SE3(), groups.Affine3()]


@pytest.mark.parametrize(("name", "settings"), CASES, ids=lambda v: str(v))
@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_networks_agree_with_central_differences(name, settings, group):
    made, (pos, z) = model(name, **settings), MIXED.batch(range(3))
    _, found = derivatives(made, pos, z, group)
    with torch.no_grad():
        for i in range(group.k):
            one, two = (difference(made, pos, z, group, i, h) for h in (2e-4, 4e-4))
            assert torch.allclose(found[i], (4 * one - two) / 3, atol=1e-6), group.names[i]
    if name == "point":
        assert found.abs().max() > 1e-3
    if name == "painn" and group.k == 6:  # equivariant by construction
        assert found.abs().max() < 1e-10


def test_a_plain_module_in_single_precision():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))

        def forward(self, pos, z):
            return (self.layers(pos) * (z > 0)[..., None]).sum(1)

    torch.manual_seed(0)
    single = Net()
    double = Net().double()
    double.load_state_dict(single.state_dict())
    low = whole(subject(single, dtype=torch.float32), molecules(3, 5, 4, dtype=torch.float32))[1]
    exact = whole(subject(double), MIXED)[1]
    assert torch.allclose(low, exact, atol=1e-5)
    assert exact.abs().max() > 0.1


@pytest.mark.parametrize("gradients", [True, False])
def test_attention_whose_fused_kernel_has_no_forward_rule(gradients):
    torch.manual_seed(0)
    net = Attention().double().eval()
    fast = torch.backends.mha.get_fastpath_enabled()
    with torch.set_grad_enabled(gradients):
        made = subject(net)
        _, found = whole(made, MIXED)
    assert found.abs().max() > 1e-3
    pos, z = MIXED.batch(range(3))
    with torch.no_grad():
        near = difference(made, pos, z, groups.SO3(), 0, 1e-4)
    assert torch.allclose(found[0], near, atol=1e-6)
    assert torch.backends.mha.get_fastpath_enabled() == fast


def test_operations_without_a_forward_rule_are_named():
    class Odd(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.sum((1, 2))[:, None]

    with pytest.raises(InputError, match=r"no Lie derivative.*jvp"):
        whole(subject(lambda pos, z: Odd.apply(pos)), MIXED)
    with pytest.raises(InputError, match="out="):
        whole(
            subject(lambda p, z: torch.sum(p, (1, 2), out=torch.empty(3).double())[:, None]), MIXED
        )


def cut(pos, z):
    return linear(pos, z) + 2 * linear(pos.detach(), z)


def silent(pos, z):
    return torch.from_numpy(linear(pos, z).detach().numpy().copy())


@pytest.mark.parametrize("function", [cut, silent, torch.inference_mode()(linear)])
def test_a_detached_derivative_is_not_reported(function):
    with pytest.raises(InputError, match="hides part"):
        check(subject(function), MIXED, groups.SO3())


def test_a_model_that_hides_its_averaging_is_found():
    # its frames pass no gradient, so that it looks as if it were not invariant
    made = model("canonical", model_args={"width": 32, "layers": 1})
    with pytest.raises(InputError, match="hides part"):
        check(made, MIXED, groups.SO3())


@pytest.mark.parametrize("function", [linear, quadrupole, invariant, lambda p, z: z[:, :1] * 1.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_differentiable_function_passes_the_check(function, dtype):
    away = check(subject(function, dtype=dtype), molecules(3, 4, dtype=dtype), groups.SO3())
    assert away < (1e-2 if dtype is torch.float32 else 1e-6) or function is invariant


@pytest.mark.parametrize(("function", "l"), [(linear, 1), (quadrupole, 2)])
def test_over_haar_derivatives_match_the_spectrum(function, l):
    structures, made = molecules(4, 5, 5), subject(function)
    orbits = sweep(made, structures, 5)
    group = groups.SO3()
    expected = (l * (l + 1) * orbits.power[:, 0, l]).tolist()
    found = torch.zeros(3, dtype=torch.float64)
    for g, weight in zip(orbits.nodes, orbits.weights, strict=True):
        pos, z = structures.batch(range(3))
        slope = derivatives(made, pos @ g.mT, z, group)[1]
        found += weight * slope.square().sum(0)[:, 0]
    assert found.tolist() == pytest.approx(expected, rel=1e-9)
    # and random orientations estimate the same
    drawn = measure(made, structures, group, SETTINGS, 100)
    assert drawn.slope.sum((1, 2)).tolist() == pytest.approx(expected, rel=0.3)


def test_relative_to_the_variance_over_molecules():
    structures = molecules(3, 6, 4, 5, 5)
    rates = measure(subject(linear), structures, groups.SO3(), SETTINGS)
    pos, z = structures.batch(range(5))
    values, slopes = linear(pos, z), whole(subject(linear), structures)[1]
    expected = slopes.square().mean(1) / values.var(0, correction=0)
    assert torch.allclose(rates.relative(), expected)
    assert torch.allclose(rates.steepness().value, slopes.abs().quantile(0.5, dim=1))
    # an offset changes nothing, however large
    moved = measure(subject(lambda p, z: linear(p, z) + 1e6), structures, groups.SO3(), SETTINGS)
    assert torch.allclose(moved.relative(), expected, rtol=1e-4)


def test_values_by_atom_are_relative_to_their_variance_over_atoms():
    def function(pos, z):
        return (pos[..., 2] * z)[:, None]

    structures = molecules(3, 6, 4)
    rates = measure(subject(function, kind="atom scalar"), structures, groups.SO3(), SETTINGS)
    pos, z = torch.cat(list(structures.pos)), torch.cat(list(structures.z))
    expected = (pos[:, 1] * z).square().mean() / (pos[:, 2] * z).var(correction=0)
    assert float(rates.relative()[0, 0]) == pytest.approx(float(expected))


def test_blocks_and_order_make_no_difference():
    structures = molecules(3, 6, 4, 5)
    one = measure(subject(linear), structures, groups.SO3(), Settings(batch_size=1), 3)
    all_ = measure(subject(linear), structures, groups.SO3(), Settings(batch_size=9), 3)
    assert torch.allclose(one.slope, all_.slope)
    assert torch.allclose(one.total, all_.total)


def test_one_molecule_has_no_variance():
    rates = measure(subject(linear), molecules(4), groups.SO3(), SETTINGS)
    assert not rates.relative()[:2].isfinite().any()
    assert rates.steepness().value[:2].isfinite().all()


@pytest.mark.parametrize("group", [groups.Cyclic(4, 3), groups.SO2()])
def test_groups_without_a_derivative_in_space(group):
    made = subject(linear)
    box = UniformBox(groups.SO3())
    box.group = group
    with pytest.raises(InputError, match="acts on space"):
        group_of(Subject(made.name, made.call, made.quantities, distribution=box))
    assert isinstance(group_of(made), groups.SO3)
