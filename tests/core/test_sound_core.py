"""Regression tests of the core: inputs that once gave wrong results without an error."""

import math
from copy import deepcopy

import pytest
import torch

from molinv import Augmented, InputError, actions, groups, quadrature, testing
from molinv import distributions as D
from molinv.actions import Graph, Invariant, Irreps, Points, SymmetricTensor, Vector


def seed(n=0):
    return torch.Generator().manual_seed(n)


def normal(*shape, n=0, dtype=torch.float32):
    return torch.randn(*shape, generator=seed(n), dtype=dtype)


class Sum(torch.nn.Module):
    """A learned odd function of the points."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(normal(3, n=5))

    def forward(self, x):
        return (x.sum(1) @ self.weight)[:, None]


# precision of moved objects


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize(
    ("action", "shape"),
    [
        (Points(), (4, 5, 3)),
        (Vector(), (4, 3)),
        (SymmetricTensor(), (4, 3, 3)),
        (Irreps("1o + 2e"), (4, 8)),
    ],
    ids=lambda v: type(v).__name__,
)
def test_integers_and_half_precision_are_moved_in_float32(action, shape, dtype):
    so3 = groups.SO3()
    g = so3.exp(torch.tensor([0.0, 0.0, 0.5])).expand(4, 3, 3)
    x = (10 * normal(*shape)).to(dtype)
    moved = action.act(so3, g, x)
    assert moved.dtype == torch.float32
    assert torch.equal(moved, action.act(so3, g, x.float()))
    lengths = moved.flatten(1).norm(dim=1) / x.float().flatten(1).norm(dim=1)
    assert (lengths - 1).abs().max() < 1e-6
    double = action.act(so3, g.double(), x.double())
    assert double.dtype == torch.float64
    assert (double - moved).abs().max() < 1e-4


def test_integer_graphs_and_half_precision_colours_are_moved_in_float32():
    from torch_geometric.data import Batch, Data

    so3, x = groups.SO3(), torch.tensor([[1, 2, 3], [4, -5, 6]])
    batch = Batch.from_data_list([Data(pos=x), Data(pos=2 * x)])  # pyright: ignore
    g = so3.haar(2, seed())
    moved = Graph().act(so3, g, batch).pos
    assert torch.allclose(moved[:2], x.float() @ g[0].mT)
    hue = groups.Hue()
    picture = torch.rand(1, 3, 4, 4, generator=seed()).bfloat16()
    turned = actions.Colour().act(hue, hue.exp(torch.full((1, 1), 0.5)), picture)
    assert turned.dtype == torch.float32
    assert torch.allclose(turned.norm(dim=1), picture.float().norm(dim=1), atol=1e-6)


# extents and entropies


def test_generators_that_share_a_name_are_renamed():
    both = groups.Compose(groups.About(1, 0, 0), groups.About(0, 0, 1))
    extent = D.UniformBox(both, init=[0.1, 1.0]).extent()
    assert {n: round(float(e.value.detach()), 4) for n, e in extent.items()} == {
        "a.angle": 0.1,
        "b.angle": 1.0,
    }
    with pytest.raises(InputError, match="all different"):
        groups.MatrixGroup(groups.SO3().generators, names=["x", "x", "y"])
    assert not both.compact  # products of rotations about two axes are not a group
    for ask in (both.haar, both.rule, lambda n: both.haar_density(torch.zeros(n, 2))):
        with pytest.raises(InputError):
            ask(3)
    assert D.UniformBox(both).coverage() is None


@pytest.mark.parametrize(
    ("mu", "exact"),
    [
        (D.Gaussian(groups.SO2(), init=9.9, cap=10), 0.0),
        (D.UniformBox(groups.SO2(), init=30.0, cap=30.0), None),
        (D.UniformBox(groups.SO2(), init=8 * math.pi, cap=30.0), 0.0),
        (D.Gaussian(groups.SO3(), init=6.0, cap=6.0), math.log(2)),
        (D.Gaussian(groups.SO3(), init=30.0, cap=30.0), math.log(2)),
        (D.UniformBox(groups.About(1, 2, 3), init=95.0, cap=95.0), None),
    ],
    ids=lambda v: f"{type(v).__name__}",
)
def test_entropies_hold_beyond_the_default_caps(mu, exact):
    """A wide box wraps around the circle and covers some angles once more than the others."""
    if exact is None:
        width = float(mu.extent()["angle"].value.detach())
        turns = width / math.pi
        more, p = math.floor(turns), turns % 1
        exact = sum(
            share * n / turns * math.log(n / turns) for share, n in ((1 - p, more), (p, more + 1))
        )
    assert float(mu.kl_haar().detach()) == pytest.approx(exact, abs=0.02)


def test_caps_that_are_too_large_are_refused():
    with pytest.raises(InputError, match="caps of at most 100 rad on SO2"):
        D.UniformBox(groups.SO2(), cap=101.0)
    with pytest.raises(InputError, match=r"at most 3\.14159"):
        D.HaarBall(groups.SO3(), cap=3.2)


def test_parts_that_overlap_are_counted_once():
    circle = groups.Compose(groups.SO2(), groups.Cyclic(3))
    assert circle.overlap == 3
    assert len(circle.elements) == 1
    box = D.UniformBox(circle, init=math.pi)
    assert box.coverage() == pytest.approx(1, abs=1e-4)
    assert float(box.kl_haar().detach()) == pytest.approx(0, abs=1e-4)
    with pytest.raises(InputError, match="share only the identity"):
        D.Composed(circle)
    with pytest.raises(InputError, match="do not form a group"):
        groups.Compose(groups.Cyclic(4, 3), groups.Finite(_turned(groups.Cyclic(4, 3))))
    dihedral = groups.Compose(groups.Cyclic(4), groups.Cyclic(2))
    assert len(dihedral.elements) == 4  # not 8
    assert len(D.Categorical(dihedral).probabilities()) == 4


def _turned(group):
    g = groups.SO3().exp(torch.tensor([0.3, 0.0, 0.0]))
    return g @ group.elements @ g.mT


def test_a_gaussian_covers_its_own_component():
    assert D.Gaussian(groups.O3()).coverage() == 0.5
    assert D.UniformBox(groups.O3(), init=math.pi).coverage() == pytest.approx(0.5, abs=1e-3)
    assert D.Gaussian(groups.Compose(groups.SO2(), groups.Cyclic(3))).coverage() == 1.0
    # the same spread as on SO(3), but over half of the group: log 2 more
    both = (D.Gaussian(g, init=1.0) for g in (groups.O3(), groups.SO3()))
    far, near = (float(mu.kl_haar().detach()) for mu in both)
    assert far - near == pytest.approx(math.log(2), abs=1e-5)


def test_the_identity_may_be_at_any_position():
    elements = groups.PointGroup("D2").elements
    group = groups.Finite(elements[[2, 3, 0, 1]])
    assert torch.equal(group.elements[0], torch.eye(3))
    mu = D.Categorical(group, init=0.1)
    g, p = mu.support()
    assert torch.equal(g[0], torch.eye(3))
    assert float(p[0].detach()) == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("elements", "words"),
    [
        (torch.eye(3)[None].repeat(2, 1, 1), "two of the elements are the same"),
        (-torch.eye(3)[None], "identity is not among"),
        (torch.full((1, 2, 2), torch.nan), "identity is not among"),
        (torch.zeros(2, 3), r"\(m, d, d\), got \(2, 3\)"),
        (torch.zeros(2, 3, 2), r"\(m, d, d\), got \(2, 3, 2\)"),
        (groups.Cyclic(5).elements[:3], "is not among the 3 elements; groups.closure"),
    ],
)
def test_elements_that_are_not_a_finite_group_are_refused(elements, words):
    with pytest.raises(InputError, match=words):
        groups.Finite(elements)


def test_groups_with_other_units_or_generators_are_not_the_same():
    pixels, angstrom = groups.SE3("pixel"), groups.SE3()
    assert not pixels.same(angstrom)
    assert angstrom.same(groups.SE3())
    boost = groups.MatrixGroup([[[0.0, 1.0], [1.0, 0.0]]])
    turn = groups.MatrixGroup([[[0.0, -1.0], [1.0, 0.0]]])
    assert not boost.same(turn)
    for one, other in ((boost, turn), (pixels, angstrom)):
        flips = torch.stack([torch.eye(one.d), -torch.eye(one.d)])
        if one.homogeneous:
            flips[1, -1, -1] = 1
        rest = groups.Finite(flips, homogeneous=one.homogeneous)
        with pytest.raises(InputError, match="expected a distribution on"):
            D.Composed(groups.Compose(one, rest), D.UniformBox(other))
        assert D.Composed(groups.Compose(one, rest), D.UniformBox(deepcopy(one))).a.group.same(one)


@pytest.mark.parametrize("angle", [5.0, 16.1, 50.0, 100.0, 1000.0])
def test_affine_maps_with_large_angles(angle):
    xi = torch.tensor([[1.0, 2.0, angle, 0.1, 0.2, -0.1]], dtype=torch.float64)
    group = groups.Affine2().double()
    exact = torch.linalg.matrix_exp(group.algebra(torch.cat([xi, xi])))[:1]
    assert (group.exp(xi) - exact).abs().max() < 1e-11 * angle
    single = groups.Affine2()
    exact = torch.linalg.matrix_exp(group.algebra(torch.cat([xi.float()] * 2).double()))[:1]
    assert (single.exp(xi.float()) - exact).abs().max() < 3e-7


def test_constants_are_exact_in_every_type():
    """A group in float32 that is moved to float64 has exact constants again."""
    s = 1 / math.sqrt(2)
    own = groups.MatrixGroup([[[0.0, -s], [s, 0.0]]])
    assert own.generators.dtype == torch.float32
    assert float(own.double().generators[0, 1, 0]) == s
    assert float(own.float().double().generators[0, 1, 0]) == s
    for group in (groups.About(1, -2, 2), groups.Hue(), groups.ColourJitter(), groups.Cyclic(7)):
        single = group.elements if group.k == 0 else group.generators
        assert single.dtype == torch.float32
        double = deepcopy(group).float().double()
        g = double.exp(torch.full((1, 1), 1.0, dtype=torch.float64)) if group.k == 1 else None
        turned = double.elements if g is None and group.k == 0 else g
        if turned is not None:
            eye = torch.eye(group.d, dtype=torch.float64)
            assert (turned @ turned.mT - eye).abs().max() < 1e-15


# outputs for each node, and empty batches


def graphs():
    from torch_geometric.data import Batch, Data

    every = [Data(pos=normal(n, 3, n=n)) for n in (3, 1, 4)]
    return Batch.from_data_list(every)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("output", "shape"),
    [(Vector(), (3,)), (SymmetricTensor(), (3, 3)), (Irreps("1o + 2e"), (8,)), (Invariant(), ())],
    ids=lambda v: type(v).__name__,
)
def test_outputs_of_nodes_rotate_with_their_own_graph(output, shape):
    so3, batch = groups.SO3(), graphs()
    g = so3.haar(3, seed())
    y = normal(8, *shape)
    back, _ = output.pull_back(so3, g, y, batch)
    for i, node in enumerate(batch.batch):
        if not isinstance(output, Invariant):
            one, _ = output.pull_back(so3, g[node][None], y[i][None], None)
            assert torch.allclose(back[i], one[0], atol=1e-6)
    whole, _ = output.pull_back(so3, g, normal(3, *shape), batch)  # one row for each graph
    assert whole.shape == (3, *shape)
    model = Augmented(lambda x: y, D.UniformBox(so3), Graph(), output)  # pyright: ignore
    assert model.risk(lambda out: out.square(), batch).loss.isfinite()


@pytest.mark.parametrize("shape", [(0, 5, 3), (0, 3), (0, 0, 3), (2, 0, 3)])
def test_empty_batches_come_back_empty(shape):
    so3 = groups.SO3()
    g = so3.haar(shape[0])
    for action in (Points(), Vector(), Irreps("1o"), Invariant()):
        if isinstance(action, Points) and len(shape) == 2:
            continue
        assert action.act(so3, g, torch.zeros(shape)).shape == shape
        assert action.pull_back(so3, g, torch.zeros(shape), None)[0].shape == shape
    assert SymmetricTensor().act(so3, g, torch.zeros(*shape, 3)).shape == (*shape, 3)
    assert Irreps("1x1o + 2x2e").act(so3, g, torch.zeros(*shape[:-1], 13)).shape == (
        *shape[:-1],
        13,
    )


# learned generators


def test_learned_generators_stay_live_in_a_composition():
    learned = groups.LearnedBasis(2, 3, generator=seed())
    both = groups.Compose(learned, groups.Scaling(3))
    before = both.generators.detach().clone()
    optimizer = torch.optim.SGD(both.parameters(), 0.5)
    (both.generators[0] * normal(3, 3)).sum().backward()
    optimizer.step()
    after = both.generators.detach()
    assert not torch.allclose(before, after)
    assert torch.equal(after[:2], learned.generators.detach())
    xi = torch.tensor([0.1, -0.2, 0.0])
    assert torch.allclose(both.exp(xi), torch.linalg.matrix_exp(both.algebra(xi)), atol=1e-5)


# Euclidean groups


@pytest.mark.parametrize("group", [groups.E2(), groups.E3()], ids=str)
def test_euclidean_groups_reflect_and_keep_distances(group):
    g = testing.sample(group, 200, seed())
    det = torch.linalg.det(group.linear(g))
    assert ((det < 0).float().mean() - 0.5).abs() < 0.2
    x = normal(200, 4, group.dim)
    moved = Points().act(group, g, x)
    assert torch.allclose(torch.cdist(moved, moved), torch.cdist(x, x), atol=1e-3)
    assert group.contains(g).all()
    back = group.exp(group.log(g)) @ group.component(g)
    assert (back - g).abs().max() < 1e-4
    mu = D.Composed(group, init=0.3)
    assert mu.coverage() is None
    assert "moved" in mu.extent()
    assert "tx" in mu.extent()


# elements, brackets and adjoints


def test_contains_and_normalize():
    so3, o3 = groups.SO3().double(), groups.O3().double()
    g = so3.haar(6, seed())
    assert so3.contains(g).all()
    assert not so3.contains(-g).any()
    assert o3.contains(-g).all()
    assert not o3.contains(1.001 * g).any()
    assert not so3.contains(torch.full((2, 3, 3), torch.nan).double()).any()
    rough = g + 1e-6 * normal(6, 3, 3, dtype=torch.float64)
    assert not so3.contains(rough).any()
    smooth = so3.normalize(rough)
    assert so3.contains(smooth).all()
    assert (smooth - g).abs().max() < 1e-5
    square = groups.Cyclic(4)
    assert not square.contains(groups.Cyclic(8).elements[1::2]).any()
    assert groups.T(3).contains(groups.T(3).exp(normal(5, 3))).all()
    assert not groups.T(3).contains(groups.SE3().exp(normal(5, 6))).any()
    affine = groups.Affine3().double()
    assert affine.contains(testing.sample(affine, 5, seed())).all()
    lorentz = groups.MatrixGroup([[[0.0, 1.0], [1.0, 0.0]]]).double()
    assert lorentz.contains(lorentz.exp(torch.tensor([[2.0]]).double())).all()
    assert not lorentz.contains(torch.diag(torch.tensor([2.0, 0.5])).double()[None]).any()
    with pytest.raises(InputError, match=r"\(\.\.\., 3, 3\), got \(2, 2\)"):
        so3.contains(torch.eye(2))


def test_brackets_and_adjoints():
    so3 = groups.SO3().double()
    a, b = normal(4, 3, dtype=torch.float64), normal(4, 3, n=1, dtype=torch.float64)
    assert torch.allclose(so3.bracket(a, b), torch.linalg.cross(a, b))
    g = so3.haar(4, seed())
    assert torch.allclose(so3.adjoint(g), g)  # on so(3) Ad_R is R
    se3 = groups.SE3().double()
    g, xi = testing.sample(se3, 4, seed()), normal(4, 6, dtype=torch.float64)
    moved = se3.exp((se3.adjoint(g) @ xi[..., None])[..., 0])
    assert torch.allclose(moved, g @ se3.exp(xi) @ se3.inverse(g))


# a user-defined compact group


class Spin(groups.Group):
    """Unit quaternions acting on R^4: a compact group that covers the rotations twice."""

    radius = 2 * math.pi

    def __init__(self):
        q = torch.zeros(3, 4, 4)
        for i, (j, k) in enumerate(((2, 3), (3, 1), (1, 2))):
            q[i, i + 1, 0], q[i, 0, i + 1], q[i, k, j], q[i, j, k] = 0.5, -0.5, 0.5, -0.5
        caps = [math.pi] * 3
        super().__init__(q, ["qx", "qy", "qz"], ["rad"] * 3, caps, compact=True)

    def haar(self, n, generator=None):
        q = torch.randn(n, 4, generator=generator).to(self.generators)
        return self._matrix(q / q.norm(dim=1, keepdim=True))

    def _matrix(self, q):
        eye = torch.eye(4).to(q)
        return q[:, :1, None] * eye + 2 * torch.einsum(
            "ni,iab->nab", q[:, 1:], self.generators.to(q)
        )

    def haar_density(self, xi):
        return groups.SO3().haar_density(xi) / 2

    def preimages(self, xi, reach):
        return groups.SO3().preimages(xi / 2, reach / 2) * 2

    def rule(self, degree):
        """The 24 and the 120 unit quaternions of T and I integrate degrees 5 and 11 on S^3."""
        rotations, _ = groups.SO3().rule(2 if degree <= 5 else 5)
        q = groups.so3.to_quaternion(rotations)
        q = torch.cat([q, -q])
        return self._matrix(q), torch.full((len(q),), 1 / len(q), dtype=torch.float64)


def test_everything_works_on_a_user_defined_compact_group():
    spin = Spin()
    for dtype in (torch.float32, torch.float64):
        report = testing.check_group(spin, dtype)
    assert report.law("haar_density is Haar's").passed
    assert report.law("rule(5)").passed
    ball = D.HaarBall(spin, init=2 * math.pi).double()
    assert float(ball.kl_haar().detach()) == pytest.approx(0, abs=1e-5)
    half = D.HaarBall(spin, init=math.pi, cap=2 * math.pi)
    assert half.coverage() == pytest.approx(0.5, abs=1e-6)
    g = half.rsample(4000, seed())
    assert spin.contains(g).all()
    assert D.UniformBox(spin, init=1.0).coverage() < 1
    x = normal(5, 2, 4, dtype=torch.float64)
    net = Augmented(Quartic(), D.HaarBall(spin)).double().eval()
    turned = Points().act(spin, spin.double().haar(5, seed()), x)
    here, there = (net.orbit(p, orbit="haar", degree=4).mean for p in (x, turned))
    assert torch.allclose(here, there)
    both = groups.Compose(Spin(), groups.Scaling(4))
    assert isinstance(D.Composed(both).a, D.HaarBall)


class Quartic(torch.nn.Module):
    def forward(self, x):
        return (x[:, 0, 0] ** 2 * x[:, 1, 1] * x[:, 0, 2])[:, None] + x[:, 0, 3:] ** 4


class WrongDensity(Spin):
    def haar_density(self, xi):
        return 2 * super().haar_density(xi)


class WrongShape(Spin):
    def haar_density(self, xi):
        return torch.full_like(xi[..., 0], float(super().haar_density(0 * xi).flatten()[0]))


class MissingPreimages(Spin):
    def preimages(self, xi, reach):
        return xi[None]


class WrongPreimages(Spin):
    def preimages(self, xi, reach):
        return groups.SO3().preimages(xi, reach)


class OneNode(Spin):
    def rule(self, degree):
        return torch.eye(4).double()[None], torch.ones(1).double()


class HalfRule(Spin):
    def rule(self, degree):
        g, w = super().rule(degree)
        return g[: len(g) // 2], w[: len(g) // 2] * 2


class WrongNodes(Spin):
    def rule(self, degree):
        g, w = super().rule(degree)
        return 1.01 * g, w


@pytest.mark.parametrize(
    ("group", "law"),
    [
        (WrongDensity(), "haar_density is Haar's"),
        (WrongShape(), "Jacobian of exp"),
        (MissingPreimages(), "all preimages"),
        (WrongPreimages(), "preimages are the same element"),
        (OneNode(), "ignores shifts"),
        (HalfRule(), "ignores shifts"),
        (WrongNodes(), "nodes of rule are elements"),
    ],
    ids=lambda v: type(v).__name__,
)
def test_a_wrong_haar_measure_is_caught(group, law):
    report = testing.check_group(group, raises=False)
    assert not report.passed
    assert not report.law(law).passed
    with pytest.raises(testing.LawBroken):
        testing.check_group(group)


def test_duplicated_elements_are_caught():
    twice = groups.Finite(groups.Cyclic(4).elements.repeat(2, 1, 1), check=False)
    with pytest.raises(testing.LawBroken, match="two elements are the same"):
        testing.check_group(twice)


# reports of the law checks


def test_errors_are_relative_to_the_deviation_of_the_output():
    x = normal(6, 5, 3, dtype=torch.float64)
    check = testing.check_equivariant

    def invariant(p):
        return 1e6 * (p - p.mean(1, keepdim=True)).square().sum((1, 2))

    # a float32 group: elements are made in the precision of x
    report = check(invariant, groups.SO3(), Points(), Invariant(), x)
    assert report.passed
    assert report.law("rotations").largest < 1e-12
    for scale in (1e-7, 1.0, 1e7):
        report = check(
            lambda p, s=scale: s * p[:, 0], groups.SO3(), Points(), Invariant(), x, raises=False
        )
        assert not report.passed
        assert 0.1 < report.law("rotations").mean < 10
    assert check(lambda p: p.new_ones(6, 1), groups.SO3(), Points(), Invariant(), x).passed


def test_errors_are_reported_for_each_kind_of_element():
    x = normal(6, 5, 3, dtype=torch.float64)

    def handed(p):  # a triple product, which changes its sign under reflections
        a, b, c = (p[:, i] - p[:, 0] for i in (1, 2, 3))
        return (torch.linalg.cross(a, b) * c).sum(-1)

    report = testing.check_equivariant(
        handed, groups.E3(), Points(), Invariant(), x, permute=True, raises=False
    )
    assert report.law("rotations").passed
    assert report.law("translations").passed
    assert not report.law("reflections").passed
    assert not report.law("permutations").passed
    assert not report.passed
    assert "failed" in str(report)
    assert "BAD" in str(report)
    with pytest.raises(InputError, match="no law's name contains"):
        report.law("dilations")

    def off_centre(p):
        return p.square().sum((1, 2))

    report = testing.check_equivariant(
        off_centre, groups.SE3(), Points(), Invariant(), x, permute=True, raises=False
    )
    assert [report.law(k).passed for k in ("rotations", "translations", "permutations")] == [
        True,
        False,
        True,
    ]


def test_permuted_outputs_follow_the_points():
    x, z = normal(4, 5, 3, dtype=torch.float64), torch.randint(1, 9, (4, 5), generator=seed())

    def charges(p, z):
        return z * p.norm(dim=-1)

    report = testing.check_equivariant(
        charges, groups.SO3(), Points(), Invariant(), x, z, permute=True
    )
    assert report.law("permutations").largest == 0
    with pytest.raises(testing.LawBroken, match="permutations"):
        testing.check_equivariant(
            lambda p, z: z[:, :1] * p.norm(dim=-1),
            groups.SO3(),
            Points(),
            Invariant(),
            x,
            z,
            permute=True,
        )


# quadrature


@pytest.mark.parametrize(("degree", "n"), [(1, 8), (2, 24), (3, 48), (4, 120)])
def test_o3_and_guaranteed_use_the_cheapest_rule(degree, n):
    from molinv.guaranteed import Guaranteed

    assert len(quadrature.rule(groups.O3(), degree)[0]) == n
    assert len(Guaranteed(Sum(), groups.SO3(), degree=degree).nodes) == n // 2
