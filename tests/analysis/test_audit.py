"""Tests of stored orientations: uniform ones pass at the stated rate, others are detected."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from molinv import InputError, groups
from molinv.analysis.audit import orientations as learners
from molinv.analysis.audit.orientations import atom_directions, bingham, principal_axes, rayleigh
from molinv.analysis.audit.section import audit, section
from molinv.analysis.section import Globe
from molinv.analysis.settings import Settings
from molinv.analysis.subject import Structures
from molinv.datasets import load
from molinv.datasets.qm9 import FOLDER, cache_root

SAMPLE = Path(__file__).parents[2] / "data" / "qm9_sample"
SO3 = groups.SO3().double()


def structures(data, count):
    stored = load(data)
    ends = stored.ptr[: count + 1]
    sizes = (ends[1:] - ends[:-1]).tolist()
    pos = torch.tensor(stored.pos[: ends[-1]]).split(sizes)
    z = torch.tensor(stored.z[: ends[-1]]).long().split(sizes)
    return Structures(pos, z)


def turned(given, seed):
    g = SO3.haar(len(given), torch.Generator().manual_seed(seed))
    pos = [p.double() @ r.mT for p, r in zip(given.pos, g, strict=True)]
    return Structures(pos, given.z)


def make(given, **settings):
    return section(SimpleNamespace(structures=given), Settings(**settings))  # pyright: ignore


def sphere(*shape, seed=0):
    u = torch.randn(*shape, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return u / u.norm(dim=-1, keepdim=True)


@pytest.mark.parametrize("test", [rayleigh, bingham])
@pytest.mark.parametrize("n", [20, 500])
def test_p_values_of_uniform_directions_are_uniform(test, n):
    p = test(sphere(4000, n))
    for level in (0.01, 0.05, 0.5):
        error = (level * (1 - level) / 4000) ** 0.5
        assert abs((p < level).double().mean() - level) < 3.5 * error + 0.2 * level


def test_each_test_detects_its_alternative():
    u = sphere(200, 300)
    field = u + torch.tensor([0.0, 0.0, 0.3])
    field = field / field.norm(dim=-1, keepdim=True)
    assert (rayleigh(field) < 1e-3).double().mean() > 0.95
    stretched = u * torch.tensor([1.0, 1.0, 1.6])
    stretched = stretched / stretched.norm(dim=-1, keepdim=True)
    assert (bingham(stretched) < 1e-3).double().mean() > 0.95
    # bingham ignores signs, and rayleigh sees no mean direction in antipodes
    signs = torch.where(torch.rand(200, 300, 1) < 0.5, -1.0, 1.0)
    torch.testing.assert_close(bingham(stretched * signs), bingham(stretched))
    assert rayleigh(torch.cat([stretched, -stretched], 1)).min() > 0.99


def test_principal_axes_of_known_bodies():
    box = torch.tensor([[3.0, 0, 0], [-3, 0, 0], [0, 2, 0], [0, -2, 0], [0, 0, 1], [0, 0, -1]])
    rod = torch.tensor([[0.0, 0, 1], [0, 0, -1]])
    ball = torch.cat([torch.eye(3), -torch.eye(3)])
    heavy = torch.tensor([[0.0, 0, 0], [2, 0, 0]])
    single = torch.zeros(1, 3)
    bodies = [box + 5, rod, ball, heavy, single]
    z = [torch.full((len(b),), 6) for b in bodies]
    axes, kept = principal_axes(Structures(bodies, z))
    torch.testing.assert_close(axes[0].abs(), torch.eye(3).double())
    torch.testing.assert_close(axes[1, 0].abs(), torch.tensor([0.0, 0, 1]).double())
    expected = [[True] * 3, [True, False, False], [False] * 3, [True, False, False], [False] * 3]
    assert kept.tolist() == expected


def test_axes_and_directions_rotate_with_the_molecule():
    given = structures(SAMPLE, 50)
    g = SO3.haar(1, torch.Generator().manual_seed(0))[0]
    moved = Structures([p.double() @ g.mT + 7 for p in given.pos], given.z)
    (axes, kept), (after, still) = principal_axes(given), principal_axes(moved)
    assert torch.equal(kept, still)
    cosines = (axes @ g.mT * after).sum(-1).abs()[kept]
    torch.testing.assert_close(cosines, torch.ones_like(cosines), atol=1e-4, rtol=0)
    (u, there), (v, also) = atom_directions(given, 5), atom_directions(moved, 5)
    assert torch.equal(there, also)
    torch.testing.assert_close(u @ g.mT, v, atol=1e-4, rtol=0)


def test_principal_axes_are_weighted_by_mass():
    # a heavy pair across a light one: the long axis goes through the heavy atoms
    pos = torch.tensor([[1.0, 0, 0], [-1, 0, 0], [0, 2, 0], [0, -2, 0]])
    axes, _ = principal_axes(Structures([pos], [torch.tensor([35, 35, 1, 1])]))
    assert axes[0, 0].abs().tolist() == pytest.approx([1, 0, 0])


def test_the_stored_orientations_of_qm9_are_not_uniform():
    found = make(structures(SAMPLE, 1000))
    tests = found.numbers["tests"]
    assert not found.numbers["uniform"]
    assert found.findings[0].startswith("The stored orientations are not uniform")
    # the first atom lies up y from the centroid, the long axis along y
    first = tests["atom 1"]
    assert first["p"] < 1e-30
    assert abs(first["along"][1]) > 0.9
    assert first["along_x_y_z"]["low"][0] > 0.4
    assert tests["long axis"]["along_x_y_z"]["low"][2] > 0.4
    (density,) = (figure for figure in found.figures if isinstance(figure, Globe))
    assert max(map(max, density.values)) > 3
    json.dumps(found.numbers, allow_nan=False)


@pytest.mark.skipif(not (cache_root() / FOLDER).exists(), reason="the QM9 cache is not built")
def test_the_first_five_thousand_of_qm9_are_not_uniform():
    tests = audit(structures("qm9", 5000), Settings())
    assert len(tests) == 8
    assert all(test.p < 1e-20 for test in tests)
    assert max(test.excess for test in tests) > 0.5
    tests = audit(turned(structures("qm9", 5000), 1), Settings())
    assert min(test.p for test in tests) > 0.05 / 8
    assert max(test.excess for test in tests) < 0.05


def test_haar_rotated_molecules_pass():
    given = structures(SAMPLE, 300)
    seeds = 80
    p = []
    for seed in range(seeds):
        p.append([test.p for test in audit(turned(given, seed), Settings())])
    values = torch.tensor(p)
    assert values.shape[1] == 8
    # rates of false alarms: of single tests at 5 %, and of audits at 5 % for all their tests
    single = (values < 0.05).double().mean()
    assert abs(single - 0.05) < 4 * (0.05 * 0.95 / (seeds * 4)) ** 0.5
    whole = (values.amin(1) < 0.05 / 8).double().mean()
    assert whole < 0.05 + 3 * (0.05 * 0.95 / seeds) ** 0.5
    uniform = values.amin(1) >= 0.05 / 8
    for seed in (0, 1):
        assert make(turned(given, seed)).numbers["uniform"] == bool(uniform[seed])
    found = make(turned(given, int(uniform.int().argmax())))
    assert len(found.findings) == 2
    assert "chance is 50 %" in found.findings[1]
    assert found.findings[0].startswith("No test rejects")
    assert not any(isinstance(figure, Globe) for figure in found.figures)


def test_intervals_of_effects_contain_the_truth():
    given = structures(SAMPLE, 300)
    tests = make(turned(given, 3)).numbers["tests"]
    held = []
    for test in tests.values():
        ends = zip(*(test["along_x_y_z"][end][1:] for end in ("low", "high")), strict=True)
        held += [low <= test["if_uniform"] <= high for low, high in ends]
    assert sum(held) >= 19  # of 24 intervals at 95 %; those for x, y and z are not independent


def test_a_density_of_one_is_uniform():
    found = make(structures(SAMPLE, 1000))
    (density,) = (figure for figure in found.figures if isinstance(figure, Globe))
    values = torch.tensor(density.values, dtype=torch.float64)[:, :-1]
    weight = torch.tensor(density.latitude).double().deg2rad().cos()[:, None].expand_as(values)
    assert float((weight * values).sum() / weight.sum()) == pytest.approx(1, abs=0.01)


def test_too_few_molecules_cannot_be_audited():
    with pytest.raises(InputError, match="at least 20"):
        make(structures(SAMPLE, 10))


def test_atoms_at_the_centroid_are_left_out():
    given = structures(SAMPLE, 30)
    atoms = [torch.zeros(1, 3)] * 30
    both = Structures([*given.pos, *atoms], [*given.z, *[torch.ones(1).long()] * 30])
    found = make(both).numbers["tests"]
    assert found["atom 1"]["molecules"] <= 30
    assert found["long axis"]["molecules"] <= 30
    with pytest.raises(InputError, match="of the 30 given"):
        make(Structures(atoms, [torch.ones(1).long()] * 30))


def test_a_classifier_tells_stored_molecules_from_rotated_ones():
    given = structures(SAMPLE, 600)
    found = learners.told_apart(given, 5, 0)
    assert found is not None
    assert found.low > 0.8
    assert found.p < 1e-20
    held = [learners.told_apart(turned(given, seed), 5, 100 + seed) for seed in range(6)]
    assert sum(h is not None and h.low <= 0.5 <= h.high for h in held) >= 5
    assert learners.told_apart(structures(SAMPLE, 50), 5, 0) is None


def test_a_regressor_predicts_only_values_that_depend_on_orientation():
    given = turned(structures(SAMPLE, 600), 0)
    axes, _ = principal_axes(given)
    draw = torch.Generator().manual_seed(0)
    noise = torch.randn(len(given), generator=draw).double()
    found = learners.from_axes(given, axes[:, 0, 2].square() + 0.1 * noise, 0)
    assert found is not None
    assert found.low > 0.8
    chance = [learners.from_axes(given, noise.roll(k), k) for k in range(8)]
    assert sum(c is not None and c.p > 0.05 for c in chance) >= 6
