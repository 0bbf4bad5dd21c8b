"""Which layer makes L_X f: chains whose parts are known, and molinv's own networks."""

from dataclasses import replace

import pytest
import torch
from lie_nets import Attention, Chain, linear, molecules, normal, subject
from torch import nn

from molinv import InputError, groups, models
from molinv.analysis.lie.derivatives import drawn_rotations
from molinv.analysis.lie.flow import flow
from molinv.analysis.lie.hidden import (
    Hidden,
    by_degree,
    irreps,
    rotation_vector,
    so3_generators,
    trivial,
)
from molinv.analysis.lie.section import section
from molinv.analysis.lie.stages import find
from molinv.analysis.orbits import sweep
from molinv.analysis.settings import Settings
from molinv.analysis.subject import Quantity, Subject
from molinv.datasets.batches import Batch
from molinv.distributions import UniformBox
from molinv.groups.wigner import wigner_d

GROUP = groups.SO3().double()
VECTOR = by_degree(1, axis=-1)
SETTINGS = Settings(degree=4)


def turned(structures):
    """Sums of the coordinates in the poses that `flow` takes, (m, 3): all that a chain sees."""
    g = drawn_rotations(len(structures), 1, 0)[0]
    return torch.stack([(g[i] @ p.mT).sum(1) for i, p in enumerate(structures.pos)])


@pytest.mark.parametrize("first", [trivial, VECTOR], ids=["trivial", "vector"])
@pytest.mark.parametrize("second", [trivial, VECTOR], ids=["trivial", "vector"])
@pytest.mark.parametrize("direct", [0.0, 1.0])
def test_parts_of_a_chain(first, second, direct):
    net, structures = Chain(direct), molecules(3, 5, 3, 4)
    found = flow(subject(net), structures, GROUP, {"a": first, "b": second})
    s, a, b = turned(structures), net.a.weight.detach(), net.b.weight.detach()
    assert found.names == ["a", "b"]
    for k, x in enumerate(GROUP.generators):
        # what a layer hands on moves as assumed (0 or X h); the rest it has made itself
        after_a = (a @ x - (x @ a if first is VECTOR else 0 * x)) @ s.mT
        after_b = b @ (x @ a if first is VECTOR else 0 * x) @ s.mT
        if second is VECTOR:
            after_b = after_b - x @ b @ a @ s.mT
        outside = (net.c @ x @ b @ a if second is VECTOR else 0 * net.c) + net.direct @ x
        made = torch.stack([net.c @ b @ after_a, net.c @ after_b, outside @ s.mT], 1)
        whole = (net.c @ b @ a + net.direct) @ x @ s.mT
        assert torch.allclose(made.sum(1), whole)  # the chain rule
        assert torch.allclose(found.total[:, k, 0], whole.square())
        assert torch.allclose(found.made[:, :, k, 0], made.square())
        assert torch.allclose(found.shared[:, :, k, 0], made * whole[:, None])
        through = torch.stack([net.c @ b @ after_a, net.c @ (b @ after_a + after_b)], 1)
        assert torch.allclose(found.through[:, :, k, 0], through.square())


def test_hidden_derivatives_are_relative_to_their_variance_over_all_atoms():
    net, structures = Chain(), molecules(3, 5, 3)
    g = drawn_rotations(3, 1, 0)[0]
    x = torch.cat([p @ g[i].mT for i, p in enumerate(structures.pos)])
    h = x @ net.a.weight.detach().mT
    found = flow(subject(net), structures, GROUP, {"a": trivial, "b": VECTOR})
    for k, generator in enumerate(GROUP.generators):
        slope = x @ generator.mT @ net.a.weight.detach().mT
        expected = slope.square().sum(-1).mean() / h.var(0, correction=0).sum()
        assert float(found.hidden[k, 0]) == pytest.approx(float(expected))
    assert found.actions == ["nothing changes", "Wigner D of degrees 1"]


class WithAnEmptyPart(Chain):
    def __init__(self):
        super().__init__()
        self.empty = nn.Identity()

    def forward(self, pos, *extra):
        self.empty(pos[..., :0])
        return super().forward(pos, *extra)


def test_a_stage_without_numbers_changes_nothing():
    found = flow(subject(WithAnEmptyPart()), molecules(3, 5, 3), GROUP)
    assert "empty" in found.names
    assert found.hidden[:, found.names.index("empty")].isnan().all()


def test_parts_add_up_whatever_the_network():
    torch.manual_seed(0)
    structures = molecules(3, 5, 4)
    made = subject(Attention().double().eval())
    found = flow(made, structures, GROUP)
    assert found.names == ["embed", "encoder", "mix", "read"]
    assert torch.allclose(found.shared.sum(1), found.total)
    # nothing inside changes by assumption: all of it enters with the coordinates
    assert torch.allclose(found.shared[:, 0], found.total)
    assert torch.allclose(found.through, found.total[:, None].expand_as(found.through))
    assert found.made[:, 1:].abs().max() < 1e-20 * found.total.max()


def own(name, **settings):
    torch.manual_seed(0)
    net = models.make(name, 2, settings).double().eval()

    def call(pos, z):
        return net(*net.inputs(Batch(pos, z, pos.new_zeros(len(z), 1), torch.arange(len(z)))))

    quantities = (Quantity("a", "eV"), Quantity("b", ""))
    kind = settings.get("output", "scalar")
    return Subject(name, call, quantities, kind, net, dtype=torch.float64)


@pytest.mark.parametrize("name", ["point", "graph"])
def test_a_network_without_symmetry(name):
    found = flow(own(name, width=16, layers=2), molecules(3, 5, 4), GROUP)
    assert torch.allclose(found.shared.sum(1), found.total)
    sources = {"point": {"place", "pair"}, "graph": {"messages.0", "messages.1"}}[name]
    for i, stage in enumerate(found.names):
        moved = bool(found.made[:, i].abs().max() > 1e-12 * found.total.max())
        assert moved == (stage in sources), stage
    last = found.names.index("read")
    assert torch.allclose(found.through[:, last], found.total)
    assert (found.hidden[:, found.names.index("radial")] < 1e-12).all()  # distances alone
    # all that enters by the first layer, and more by the second
    if name == "graph":
        first = found.names.index("messages.0")
        assert torch.allclose(found.through[:, first], found.made[:, first])


EQUIVARIANT = [("painn", {"width": 16, "layers": 2}), ("equivariant", {"channels": 8, "layers": 2})]


@pytest.mark.parametrize(("name", "settings"), EQUIVARIANT, ids=["painn", "equivariant"])
@pytest.mark.parametrize("output", ["scalar", "vector"])
def test_hidden_vectors_rotate(name, settings, output):
    made = own(name, **settings, output=output)
    found = flow(made, molecules(3, 5, 4), GROUP)
    hidden = found.hidden.nan_to_num(0)
    last = found.names.index("read") if "read" in found.names else len(found.names)
    assert hidden[:, :last].max() < 1e-12  # e3nn's coefficients have single precision
    assert found.total.max() < 1e-12
    if name == "painn":
        plain = flow(made, molecules(3, 5, 4), GROUP, {"waves": trivial})
        assert plain.hidden[:, found.names.index("waves")].min() > 1e-3


def test_irreps_of_an_e3nn_module_rotate_by_wigner_d():
    from e3nn import o3

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.harmonics = o3.SphericalHarmonics("1x0e+1x1o+1x2e", False, "component")
            self.mix = o3.Linear("1x0e+1x1o+1x2e", "2x1o")
            self.bad = nn.Linear(6, 1)

        def forward(self, pos, z):
            return self.bad(self.mix(self.harmonics(pos))).sum(1)

    torch.manual_seed(0)
    found = flow(subject(Net().double()), molecules(3, 5), GROUP)
    assert found.names == ["harmonics", "mix", "bad"]
    assert found.actions[:2] == ["Wigner D of 1x0e+1x1o+1x2e", "Wigner D of 2x1o"]
    assert found.hidden[:, :2].max() < 1e-20
    assert torch.allclose(found.shared[:, 2], found.total)  # the one that breaks it
    assert found.through[:, :2].abs().max() < 1e-20 * found.total.max()


@pytest.mark.parametrize("l", [1, 2, 3])
def test_generators_of_the_wigner_functions(l):
    from e3nn import o3

    g = so3_generators(l)
    xi = normal(4, 3, seed=l)
    drawn = torch.linalg.matrix_exp(torch.einsum("ka,aij->kij", xi, g))
    angles = o3.matrix_to_angles(GROUP.exp(xi))
    assert torch.allclose(drawn, o3.wigner_D(l, *angles), atol=1e-5)
    casimir = -(g @ g).sum(0)
    assert torch.allclose(casimir, l * (l + 1) * torch.eye(2 * l + 1).double(), atol=1e-12)
    characters = wigner_d(GROUP.exp(xi), l)[l].diagonal(dim1=1, dim2=2).sum(1)
    assert torch.allclose(drawn.diagonal(dim1=1, dim2=2).sum(1), characters, atol=1e-12)
    x = normal(3, seed=5)
    assert torch.allclose(rotation_vector(torch.einsum("a,aij->ij", x, so3_generators(1))), x)


def test_stages_in_the_order_of_execution():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.late, self.unused = nn.Linear(3, 1), nn.Linear(3, 3)
            self.blocks = nn.ModuleList([nn.ModuleDict({"w": nn.Linear(3, 3)}) for _ in range(2)])

        def forward(self, pos, z):
            for name in ("blocks.1.w", "blocks.0.w"):
                pos = self.get_submodule(name)(pos)
            return self.late(pos).sum(1)

    net = Net().double()
    structures = molecules(3)
    expected = ["blocks.1.w", "blocks.0.w", "late"]
    assert list(find(net, lambda: net(*structures.batch([0])))) == expected
    wrapped = nn.Sequential(nn.Sequential(nn.Linear(3, 3), nn.Tanh())).double()
    assert list(find(wrapped, lambda: wrapped(structures.pos[0]))) == ["0.0", "0.1"]
    assert not net.late._forward_hooks
    assert not net.late._forward_pre_hooks


def test_subjects_without_layers_are_refused():
    with pytest.raises(InputError, match="not a torch module"):
        flow(subject(linear), molecules(3), GROUP)
    with pytest.raises(InputError, match="did you mean 'a'"):
        flow(subject(Chain()), molecules(3), GROUP, {"aa": trivial})
    with pytest.raises(InputError, match="3 components of degree 1"):
        flow(subject(Chain()), molecules(4), GROUP, {"a": by_degree(1, axis=1)})
    with pytest.raises(InputError, match="4 entries"):
        flow(subject(Chain()), molecules(3), GROUP, {"a": irreps("1x0e+1x1o")})


def made(subject_, structures, settings=SETTINGS):
    return section(sweep(subject_, structures, 4), settings)


def test_the_section_of_a_broken_network():
    found = made(own("point", width=16, layers=1), molecules(3, 5, 4, 6))
    assert [c.name for c in found.figures] == ["lie_generators", "lie_hidden", "lie_layers_rad"]
    layers = found.numbers["layers"]
    assert sum(layers["share, per rad"]["value"]) == pytest.approx(1)
    assert any("pair" in text and "broken by" in text for text in found.findings)
    assert any("E|L_X f|^2 / Var f is largest along w" in text for text in found.findings)
    assert "comes from the layers" in found.numbers["verdict"]
    assert len(found.tables[0].rows) == 2


def test_the_section_of_an_invariant_network_says_so():
    found = made(own("painn", width=16, layers=1), molecules(3, 5, 4))
    assert any("beyond rounding" in text for text in found.findings)
    assert not any("broken by" in text for text in found.findings)


def test_generators_without_an_effect_are_named():
    box = UniformBox(groups.SE3(), init=0.5)
    subject_ = own("point", width=16, layers=1, geometry="displacement")
    found = made(replace(subject_, distribution=box), molecules(3, 5, 4))
    assert any("does not change along tx, ty and tz" in text for text in found.findings)
    assert [c.name for c in found.figures] == ["lie_generators", "lie_hidden", "lie_layers_rad"]
    assert "wx, wy and wz" in " ".join(found.findings)


def test_the_section_without_layers_and_with_one_molecule():
    found = made(subject(linear), molecules(4))
    assert any("Not layer by layer: " in text for text in found.findings)
    assert any("have the same value" in text for text in found.findings)


def test_a_custom_action():
    half = Hidden("half a turn", lambda x, h: [0.5 * part for part in VECTOR.act(x, h)])
    found = flow(subject(Chain()), molecules(3, 4), GROUP, {"a": half})
    assert found.actions == ["half a turn", "nothing changes"]
    assert torch.allclose(found.shared.sum(1), found.total)
