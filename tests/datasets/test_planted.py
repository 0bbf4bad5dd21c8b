"""Planted tasks: every known symmetry against the task's formula, on real molecules."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from molinv import distributions as D
from molinv import groups, testing
from molinv.datasets import planted
from molinv.datasets.planted.bodies import dipoles, frames, nuclear, oblique
from molinv.errors import InputError

COUNT = {"per_molecule": 40, "none": 300, "discrete": 300, "chirality": 300, "sectors": 200}
SETTINGS = {"per_molecule": {"free": 0.1}}  # the sample has few non-polar molecules


def make(name, sample, **kw):
    kw = {"count": COUNT.get(name, 400)} | SETTINGS.get(name, {}) | kw
    return planted.make(name, molecules=sample, **kw)


def stored(sample, target, ids):
    """QM9's property of the molecules with these ids."""
    values = dict(zip(sample.ids, sample.select([target])[:, 0], strict=True))
    return np.array([values[i] for i in ids])


def seed(n=0):
    return torch.Generator().manual_seed(n)


def turn(task, *xi):
    """The same rotation for every molecule."""
    so3 = groups.SO3().double()
    return so3, so3.exp(torch.tensor(xi).double().expand(len(task.molecules), 3))


def conflict(task, *xi):
    return task.conflict(*turn(task, *xi))


def haar(task, group=None):
    group = (groups.SO3() if group is None else group).double()
    return group, group.haar(len(task.molecules), seed())


@pytest.mark.parametrize("name", planted.TASKS)
def test_every_task_is_posed_labelled_and_made_again(name, sample):
    task = make(name, sample)
    m = task.molecules
    assert len(m) == COUNT.get(name, 400)
    assert m.y.shape == (len(m), 3 if name.startswith("dipole") else 1)
    assert m.y.std() > 0
    assert all(t.unit for t in m.targets)
    np.testing.assert_allclose(task.formula(m.pos), m.y, rtol=1e-12)
    again = make(name, sample)
    assert np.array_equal(again.molecules.pos, m.pos)
    assert np.array_equal(again.molecules.y, m.y)
    other = make(name, sample, seed=1)
    assert not np.array_equal(other.molecules.y, m.y)
    for variant in task.variants:
        mu = variant.build()
        assert variant.truths
        if not isinstance(mu, D.Conditional):
            learned = [t.measure(mu) for t in variant.truths]
            assert all(math.isfinite(x) for x in learned)
    if name == "size":  # which deforms them
        m = make(name, sample, strain=0.0).molecules
    # only orientations and positions differ from QM9: distances within a molecule are equal
    ids = {sample.ids[i]: i for i in range(len(sample))}
    for i in (0, len(m) - 1):
        stored, posed = sample.molecule(ids[m.ids[i]])[1], m.molecule(i)[1]
        gaps = [np.linalg.norm(p[:, None] - p[None], axis=-1) for p in (stored, posed)]
        np.testing.assert_allclose(*gaps, atol=1e-5)


@pytest.mark.parametrize("name", ["full", "achiral"])
def test_rotations_do_not_change_a_property(name, sample):
    task = make(name, sample)
    assert task.conflict(*haar(task)) == 0
    assert np.array_equal(task.molecules.y, task.formula(task.molecules.pos))


@pytest.mark.parametrize(
    "axis", [(0, 0, 1), (0, -2, 0), (1, 0, 0), (0.6, -0.48, 0.64), (1, 1, 1), (1, 1, 0)], ids=str
)
def test_only_rotations_about_a_field_are_symmetries(axis, sample):
    for strength in (0.5, 2.0):
        task = make("axial", sample, axis=axis, field=strength)
        n = np.array(axis) / np.linalg.norm(axis)
        assert conflict(task, *(2.5 * n)) < 1e-5  # float32 coordinates
        others = np.linalg.svd(n[None])[2][1:]
        for angle in np.linspace(0, math.pi, 7):
            across = np.cos(angle) * others[0] + np.sin(angle) * others[1]
            assert conflict(task, *(0.5 * across)) > 0.1 * min(strength, 1)
        straight = np.abs(n).max() > 0.999
        box = next(v for v in task.variants if v.distribution == "UniformBox")
        values = [t.value for t in box.truths]
        assert values == [math.pi if straight and abs(x) > 0.5 else 0.0 for x in n]


def test_the_field_and_the_property_have_the_same_variance(sample):
    homo = sample.select(["homo"])[:, 0]
    for strength in (1.0, 3.0):
        task = make("axial", sample, count=1000, field=strength, seed=5)
        m = task.molecules
        own = stored(sample, "homo", m.ids)
        term = m.y[:, 0] - own
        assert term.std() == pytest.approx(strength * homo.std(), rel=1e-6)
        # poses are random, so the two terms are uncorrelated
        assert abs(np.corrcoef(term, own)[0, 1]) < 4 / math.sqrt(1000)
        assert abs(np.corrcoef(term, dipoles(m, m.pos)[:, 2])[0, 1]) > 1 - 1e-9


def test_no_rotation_is_a_symmetry_of_two_fields(sample):
    task = make("none", sample)
    m = task.molecules
    mu, v = dipoles(m, m.pos), nuclear(m, m.pos)
    assert (
        np.abs((mu * v).sum(1)) <= 0.9 * np.linalg.norm(mu, axis=1) * np.linalg.norm(v, axis=1)
    ).all()
    rng = np.random.default_rng(0)
    axes = rng.normal(size=(60, 3))
    for axis in [*np.eye(3), *(axes / np.linalg.norm(axes, axis=1, keepdims=True))]:
        for angle in (0.25, 1.0, math.pi):
            assert conflict(task, *(angle * axis)) > 0.05 * angle / 0.25 * (1 if angle < 2 else 0.2)
    # to first order y changes along w = a mu x z + b v x x: no axis is orthogonal to all of them
    parts = [np.cross(mu, [0, 0, 1.0]) / mu[:, 2].std(), np.cross(v, [1.0, 0, 0]) / v[:, 0].std()]
    slopes = np.linalg.eigvalsh(np.cov((parts[0] + parts[1]).T))
    assert slopes[0] > 0.1 * slopes[-1]
    for part in parts:  # a single field has its own axis as a symmetry
        assert np.linalg.eigvalsh(np.cov(part.T))[0] < 1e-9 * slopes[-1]


@pytest.mark.parametrize("k", [2, 3, 4, 6])
def test_sectors_are_distinguished_up_to_half_their_spacing(k, sample):
    task = make("sectors", sample, k=k)
    (truth,) = task.variants[0].truths
    assert truth.value == pytest.approx(math.pi / k)
    mu = dipoles(task.molecules, task.molecules.pos)
    assert np.abs(mu[:, 2]).max() < 1e-3  # in the plane
    azimuth = np.arctan2(mu[:, 1], mu[:, 0]) * k / (2 * math.pi)
    np.testing.assert_allclose(azimuth, np.rint(azimuth), atol=1e-3)
    assert len(np.unique(np.rint(azimuth) % k)) == k
    about = task.group.double()

    def conflicting(half_width):
        box = D.UniformBox(about, init=half_width).double()
        return task.conflict(about, box.rsample(len(task.molecules), seed()))

    assert conflicting(0.999 * math.pi / k) == 0
    # beyond: the fraction of copies in a neighbour's sector times the difference of the levels
    over = conflicting(1.2 * math.pi / k)
    assert over > 0.5 * (1 - 1 / 1.2) * 1 / 1.5
    spins = frames(mu, nuclear(task.molecules, task.molecules.pos))
    assert np.abs(np.cov(spins[:, 1].T)).max() < 1  # the rotation about the dipole varies
    assert spins[:, 1, 2].std() > 0.5


@pytest.mark.parametrize(("a", "k"), [(math.pi / 4, 2), (0.5, 3), (1.2, 2), (math.pi / 6, 6)])
def test_balls_around_discrete_poses_touch_at_their_radius(a, k, sample):
    task = make("discrete", sample, a=a, k=k, axis=(1.0, 2.0, -1.0))
    (truth,) = task.variants[0].truths
    assert truth.value == pytest.approx(a)
    m, so3 = task.molecules, groups.SO3().double()
    poses = torch.from_numpy(frames(dipoles(m, m.pos), nuclear(m, m.pos))).mT
    apart = so3.log(poses[:, None] @ poses[None].mT).norm(dim=-1)
    steps = (apart / (2 * a)).round()
    assert (apart[steps == 0]).max() < 1e-2  # float32 coordinates, oblique frames
    assert apart[steps > 0].min() == pytest.approx(2 * a, abs=1e-2)

    def conflicting(radius):
        ball = D.HaarBall(so3, init=radius).double()
        return task.conflict(so3, ball.rsample(len(m), seed()))

    assert conflicting(0.99 * a) == 0
    assert conflicting(min(1.5 * a, math.pi)) > 0.02


def test_levels_of_neighbours_differ():
    from molinv.datasets.planted.partial import _levels

    for k in range(2, 9):
        around = _levels(k)
        assert np.abs(around - np.roll(around, 1)).min() >= 1


def test_translations_are_symmetries_and_changes_of_size_are_not(sample):
    task = make("translation", sample, shift=2.0)
    assert not task.center
    m = task.molecules
    centroids = np.stack([m.molecule(i)[1].mean(0) for i in range(len(m))])
    assert centroids.std() == pytest.approx(2.0, rel=0.1)
    assert task.conflict(task.group, task.group.exp(5 * torch.randn(len(m), 3))) == 0
    task = make("size", sample)
    affine = task.group.double()
    n = len(task.molecules)
    for i, (name, unit) in enumerate(zip(affine.names, affine.units, strict=True)):
        xi = torch.zeros(n, affine.k).double()
        xi[:, i] = {"angstrom": 5.0, "rad": 3.0, "log-scale": 0.2}[unit]
        found = task.conflict(affine, affine.exp(xi))
        assert (found > 0.1) if unit == "log-scale" else (found < 1e-4), name
        truth = task.variants[0].truths[i]
        assert (truth.name, truth.value > 0) == (name, unit != "log-scale")
    bonds = [np.linalg.norm(p[1] - p[0]) for _, p in map(task.molecules.molecule, range(n))]
    assert np.std(bonds) > 0.2  # a bond length does not reveal the deformation
    task = make("size", sample, strain=0.0)
    r2 = stored(sample, "r2", task.molecules.ids)
    assert np.corrcoef(task.molecules.y[:, 0], r2)[0, 1] > 0.99
    with pytest.raises(InputError, match="strain"):
        make("size", sample, strain=-0.1)


def test_only_reflections_change_the_sign_of_handedness(sample):
    task = make("chirality", sample)
    n, o3 = len(task.molecules), groups.O3().double()
    assert task.conflict(*haar(task)) < 1e-4
    flip = -torch.eye(3).double().expand(n, 3, 3)
    np.testing.assert_allclose(task.formula(task.moved(o3, flip)), -task.molecules.y, rtol=1e-9)
    assert task.conflict(o3, flip) > 1
    assert np.abs(task.molecules.y).min() > 0.5
    # both signs are equally frequent, so that a constant prediction is poor
    assert abs((task.molecules.y > 0).mean() - 0.5) < 0.15
    achiral = make("achiral", sample)
    assert achiral.conflict(o3, -torch.eye(3).double().expand(len(achiral.molecules), 3, 3)) == 0


def test_a_fixed_reflection_of_a_chiral_target_is_refused(sample):
    task = make("chirality", sample)
    for mu in (D.Haar(groups.O3()), D.Composed(groups.O3(), init=0.3, learn=False)):
        with pytest.raises(InputError, match=r"chiral.*reflects"):
            task.check(mu)
    task.check(D.Haar(groups.SO3()))
    task.check(task.variants[0].build())  # learned: the probability may become 0
    make("achiral", sample).check(D.Haar(groups.O3()))


def test_the_field_acts_only_on_polar_molecules(sample):
    task = make("per_molecule", sample)
    (truth,) = task.variants[0].truths
    m, free = task.molecules, truth.free
    assert free.sum() == 4
    assert truth.names == ("wx", "wy")
    mu = stored(sample, "mu", m.ids)
    assert (mu[free] < 0.1).all()
    assert (mu[~free] > 1).all()
    moved = task.formula(task.moved(*turn(task, 1.0, 0.5, 0.0))) - m.y
    assert (moved[free] == 0).all()
    assert np.abs(moved[~free]).mean() > 0.1 * m.y.std()
    assert conflict(task, 0, 0, 2.0) < 1e-5
    widths = torch.where(torch.from_numpy(free)[:, None], 3.0, 0.1) * torch.ones(1, 3)
    known = D.Conditional(groups.SO3(), Given(widths))
    assert truth.holds(truth.measure(known.at(torch.zeros(len(m), 1, 3))))
    some = np.flatnonzero(free | (np.arange(len(m)) < 20))
    part = truth.of(some)
    assert part.measure(D.Conditional(groups.SO3(), Given(-widths[some])).at(None)) == 0
    assert part.measure(D.Conditional(groups.SO3(), Given(0 * widths[some])).at(None)) == 0.5


class Given(torch.nn.Module):
    def __init__(self, raw):
        super().__init__()
        self.raw = raw

    def forward(self, x, *extra):
        return self.raw


def test_dipoles_rotate_with_the_molecule(sample):
    task = make("dipole", sample)
    assert task.output == "vector"
    assert task.conflict(*haar(task)) < 1e-5
    plain = make("dipole_as_scalars", sample)
    for axis in np.eye(3):
        assert conflict(plain, *(0.5 * axis)) > 0.2
    all_ = make("dipole", sample, count=1000).molecules
    norms = np.linalg.norm(all_.y, axis=1)
    assert np.corrcoef(norms, stored(sample, "mu", all_.ids))[0, 1] > 0.92
    # the dipole of a neutral molecule does not depend on its position
    m = task.molecules
    np.testing.assert_allclose(dipoles(m, m.pos + 7), m.y, atol=1e-3)


def test_random_poses_are_random(sample):
    m = make("full", sample, count=1000).molecules
    mu = dipoles(m, m.pos)
    directions = mu / np.linalg.norm(mu, axis=1, keepdims=True)
    second = directions.T @ directions / len(m)
    np.testing.assert_allclose(second, np.eye(3) / 3, atol=0.04)
    assert np.abs(directions.mean(0)).max() < 0.08


def test_truths_are_strict(sample):
    so3 = groups.SO3()
    axial = make("axial", sample)
    box = axial.variants[0].truths
    for widths, verdict in [
        ([0.1, 0.2, 3.1], [True] * 3),
        ([0.3, 0.2, 2.8], [False, True, False]),
    ]:
        mu = D.UniformBox(so3, init=widths)
        assert [t.holds(t.measure(mu)) for t in box] == verdict
    gauss = D.Gaussian(so3, init=[0.05, 0.05, 1.0])
    axis = planted.AxisIs((0.0, math.sin(0.16), math.cos(0.16)))
    assert axis.measure(gauss) == pytest.approx(math.degrees(0.16), rel=1e-2)
    assert axis.holds(axis.measure(gauss))
    assert not axis.holds(planted.AxisIs((0.0, 0.3, 1.0)).measure(gauss))
    basis = groups.LearnedBasis(3, 3)
    span = planted.SpanIs(so3)
    with torch.no_grad():
        basis.directions.copy_(so3.generators)
    wide = D.UniformBox(basis, init=[2.0, 1.0, 2.0])
    assert span.holds(span.measure(wide))
    assert span.measure(D.UniformBox(basis, init=[2.0, 0.1, 2.0])) == 0  # of rank 2
    with torch.no_grad():
        basis.directions[0].add_(0.4 * torch.eye(3))
    assert not span.holds(span.measure(wide))
    one = planted.SpanIs(groups.About(1, 2, 2))
    with torch.no_grad():
        basis.directions[0] = groups.About(1, 2, 2).generators[0]
    assert one.holds(one.measure(D.UniformBox(basis, init=[2.0, 0.1, 0.1])))


def test_area_under_the_curve():
    scores = np.array([0.1, 0.4, 0.35, 0.8])
    assert planted.auc(scores, np.array([False, False, True, True])) == 0.75


@pytest.mark.parametrize(
    ("name", "settings", "hint"),
    [
        ("axail", {}, "did you mean 'axial'"),
        ("axial", {"strength": 2}, "unknown setting of planted task axial"),
        ("axial", {"field": 0.0}, "field above 0"),
        ("axial", {"axis": (0, 0, 0)}, "length above 0"),
        ("axial", {"axis": (0, 0.3, 1)}, "37 degrees"),
        ("axial", {"target": "U0"}, "sum over atoms"),
        ("axial", {"target": "hmo"}, "did you mean 'homo'"),
        ("full", {"count": 2000}, "at most the 1,000 molecules"),
        ("none", {"parallel": 0.0}, "at most the 0 molecules"),
        ("sectors", {"k": 1}, "at least two"),
        ("discrete", {"a": 2.0}, "2 a apart"),
        ("discrete", {"a": 1.2, "k": 3}, "2 a apart"),
        ("translation", {"shift": -1.0}, "at least 0 angstrom"),
        ("per_molecule", {"axis": (1, 1, 0)}, "along x, y or z"),
        ("dipole", {"output": "vectr"}, "did you mean 'vector'"),
    ],
)
def test_bad_settings_are_refused_in_one_sentence(name, settings, hint, sample):
    with pytest.raises(InputError, match=hint) as caught:
        planted.make(name, molecules=sample, **({"count": 100} | settings))
    assert "\n" not in str(caught.value)


def test_frames_put_the_first_along_x_and_the_second_into_the_plane():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 50, 3))
    f = frames(a, b)
    eye = np.broadcast_to(np.eye(3), f.shape)
    np.testing.assert_allclose(f @ f.transpose(0, 2, 1), eye, atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(f), 1)
    x, y = (np.einsum("nij,nj->ni", f, v) for v in (a, b))
    np.testing.assert_allclose(x[:, 1:], 0, atol=1e-12)
    assert (x[:, 0] > 0).all()
    assert (y[:, 1] > 0).all()
    np.testing.assert_allclose(y[:, 2], 0, atol=1e-12)
    assert oblique(a, a, 0.99).sum() == 0
    assert oblique(a, 1e-3 * b, 1.0).sum() == 0


def test_the_laws_hold_on_the_groups_that_tasks_use(sample):
    used = {str(v.group): v.group for name in planted.TASKS for v in make(name, sample).variants}
    assert len(used) > 5
    for group in used.values():
        if not isinstance(group, groups.LearnedBasis):
            testing.check_group(group, torch.float32)
