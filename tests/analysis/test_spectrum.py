"""Powers by degree of functions whose spectrum is known."""

import pytest
import torch
from known import harmonic, made, molecules, subject

from molinv import models, quadrature
from molinv.analysis.orbits.resolved import PROBES, resolved
from molinv.analysis.orbits.spectrum import section
from molinv.analysis.settings import Settings
from molinv.datasets.batches import Batch


def spectrum(*arguments, **settings):
    return made(section, *arguments, **settings)


def shares(found):
    return torch.tensor(found.numbers["share"]["value"])


def warned(found):
    return [text for text in found.findings if text.startswith("Warning")]


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
def test_harmonics_of_a_fixed_direction_have_all_power_in_their_degree(dtype, bound):
    functions = [harmonic(l, (1.0, -2.0, 0.5)) for l in (1, 2, 3, 4)]
    f = subject(lambda pos, z: torch.cat([f(pos, z) for f in functions], 1), n=4, dtype=dtype)
    found, orbits = spectrum(f, molecules(dtype=dtype))
    torch.testing.assert_close(shares(found), torch.eye(4), atol=bound, rtol=0)
    assert max(map(abs, found.numbers["beyond"]["value"])) < bound
    assert found.numbers["resolved"] == [True] * 4
    expected = 1 / (2 * torch.arange(1, 5, dtype=torch.float64) + 1)
    torch.testing.assert_close(orbits.variance.mean(0), expected, rtol=bound, atol=0)
    assert [f"l = {l}," in found.findings[l] for l in (1, 2, 3, 4)] == [True] * 4
    assert "field" in found.findings[1]
    assert "quadrupole" in found.findings[2]
    assert not warned(found)


def test_every_y_2m_has_all_its_power_at_2():
    def f(pos, z):
        x, y, z = (pos[:, 0] / pos[:, 0].norm(dim=1, keepdim=True)).unbind(1)
        return torch.stack([x * y, y * z, 3 * z**2 - 1, x * z, x**2 - y**2], 1)

    found, _ = spectrum(subject(f, n=5), molecules())
    expected = torch.tensor([0.0, 1, 0, 0]).expand(5, 4)
    torch.testing.assert_close(shares(found), expected, atol=1e-10, rtol=0)


def test_a_small_part_is_found_beside_a_large_one():
    given = subject(lambda pos, z: pos[:, :1, 2] + 0.1 * pos[:, :1, 2] ** 2)
    found, orbits = spectrum(given, molecules())
    # z^2 has the mean square 4/45 r^4 about its mean, z has r^2 / 3
    r2 = torch.stack([p[0].square().sum() for p in molecules().pos]).square().mean() * 4 / 4500
    torch.testing.assert_close(orbits.power[:, 0, 2].mean(), r2)
    assert "field" in found.findings[1]
    known = sum(found.numbers["power"][0][1:])
    assert known == pytest.approx(found.numbers["variance"][0])


def test_shares_are_medians_over_molecules_with_intervals():
    def f(pos, z):  # of degrees 1 and 2, of which the second grows with the molecule
        direction, away = pos[:, 0] / pos[:, 0].norm(dim=1, keepdim=True), pos[:, 1].norm(dim=1)
        one, two = 3**0.5 * direction[:, 2], 5**0.5 * (1.5 * direction[:, 2] ** 2 - 0.5)
        return (one + away * two)[:, None]

    given = molecules(40)
    found, _ = spectrum(subject(f), given, degree=5)
    share = {k: v[0][0] for k, v in found.numbers["share"].items()}
    each = torch.stack([1 / (1 + p[1].square().sum()) for p in given.pos])
    assert share["value"] == pytest.approx(float(each.quantile(0.5)))
    assert share["low"] < share["value"] < share["high"]
    assert 0.25 < float(((each > share["low"]) & (each < share["high"])).double().mean()) < 0.45


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
def test_an_invariant_network_has_no_power(dtype, bound):
    torch.manual_seed(0)
    network = models.make("schnet", 2, {"width": 16, "layers": 1}).to(dtype).eval()

    def f(pos, z):
        blank = torch.zeros(len(pos), 2)
        return network(*network.inputs(Batch(pos, z, blank, torch.arange(len(pos)))))

    found, orbits = spectrum(subject(f, n=2, dtype=dtype), molecules(5, dtype))
    signal = orbits.power[..., 0].sqrt()
    assert (orbits.power[..., 1:].sqrt() < bound * signal[..., None]).all()
    assert (orbits.variance.sqrt() < bound * signal).all()
    assert (signal > 1e-3).all()
    assert found.numbers["invariant"] == [True, True]
    assert not warned(found)
    assert all("invariant" in text for text in found.findings[1:])


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
def test_a_function_averaged_over_a_rule_has_no_power_up_to_its_degree(dtype, bound):
    draw = torch.Generator().manual_seed(0)
    weight = torch.randn(4, 3, 3, generator=draw, dtype=torch.float64) / 3

    def f(pos, z):  # of degree 4
        return (1 + torch.einsum("bni,lni->lb", pos[:, :3], weight.to(pos))).prod(0)

    def averaged(pos, z, degree):
        nodes, weights = (part.to(pos) for part in quadrature.so3(degree))
        turned = torch.einsum("kij,bnj->kbni", nodes, pos).flatten(0, 1)
        return weights @ f(turned, z).view(len(nodes), len(pos))

    def all_three(pos, z):
        return torch.stack([f(pos, z), averaged(pos, z, 1), averaged(pos, z, 3)], 1)

    _, orbits = spectrum(subject(all_three, n=3, dtype=dtype), molecules(3, dtype), degree=8)
    size = orbits.power[:, :1].sum(-1, keepdim=True).sqrt()
    there = orbits.power.sqrt() > bound * size
    assert there[:, 0].all()
    assert not there[:, 1, 1].any()
    assert not there[:, 2, 1:4].any()
    # what the rule does not reach stays
    assert there[:, 1:, 4].all()


def test_power_above_the_known_degrees_gives_a_warning_that_names_a_sufficient_degree():
    def f(pos, z):
        return torch.cat([harmonic(1)(pos, z) + harmonic(l)(pos, z) for l in (3, 5)], 1)

    found, _ = spectrum(subject(f, n=2), molecules(4))
    (warning,) = warned(found)
    assert found.numbers["resolved"] == [True, False]
    assert "changes too fast" in found.findings[2]
    assert "the changes of b" in warning
    assert "l = 4" in warning
    degree = int(warning.split("--degree ")[1].split()[0])
    found, _ = spectrum(subject(f, n=2), molecules(4), degree=degree)
    assert not warned(found)
    assert float(shares(found)[1, 4]) == pytest.approx((1 / 11) / (1 / 3 + 1 / 11))


def test_less_than_a_twentieth_above_gives_no_warning():
    def f(pos, z):
        return harmonic(1)(pos, z) + 0.35 * harmonic(5)(pos, z)

    found, _ = spectrum(subject(f), molecules(4))
    assert 0.02 < found.numbers["beyond"]["value"][0] < 0.05
    assert not warned(found)


def fast(pos, z):
    """cos(12 u) of the angle of the first atom about z: no degree below 12."""
    u = torch.atan2(pos[:, 0, 1], pos[:, 0, 0])
    return torch.cos(12 * u)[:, None]


def test_no_degree_is_named_for_unresolved_functions():
    # the rule of degree 5 takes it for a quadrupole
    found, orbits = spectrum(subject(fast), molecules(4), degree=5)
    assert found.numbers["resolved"] == [False]
    assert "quadrupole" not in found.findings[1]
    assert "changes too fast" in found.findings[1]
    assert float(orbits.left[0]) > 0.5


def test_the_degree_rises_within_the_budget():
    def f(pos, z):
        return harmonic(1)(pos, z) + harmonic(6)(pos, z)

    found = resolved(subject(f), molecules(4), Settings())
    assert found.degree >= 6
    assert bool(found.resolved.all())
    assert float(found.power[:, 0, 6].mean()) == pytest.approx(1 / 13)
    few = resolved(subject(f), molecules(4), Settings(budget=4 * 400))
    assert few.degree == 4
    assert not bool(few.resolved.any())
    assert resolved(subject(f), molecules(4), Settings(degree=3)).degree == 1


def test_invariant_functions_need_few_orientations():
    def f(pos, z):
        return pos.square().sum((1, 2))[:, None]

    found = resolved(subject(f), molecules(8), Settings())
    assert found.degree == 0
    assert len(found.nodes) == PROBES
    assert bool(found.still.all())
    one = resolved(
        subject(lambda p, z: f(p, z) + (len(z[0]) > 5) * p[:, :1, 2]), molecules(8), Settings()
    )
    assert not bool(one.still.any())


@pytest.mark.parametrize("kind", ["vector", "tensor"])
def test_equivariant_outputs_have_no_power_and_broken_ones_are_caught(kind):
    def whole(pos, z):
        if kind == "vector":
            return (pos * z[..., None]).sum(1)
        return torch.einsum("bn,bni,bnj->bij", z.to(pos), pos, pos)

    def broken(pos, z):  # a constant vector; tensors squashed along z, of degrees 2 and 4
        if kind == "vector":
            return whole(pos, z) + torch.tensor([0.0, 0.0, 1.0]).to(pos)
        squash = torch.diag(torch.tensor([1.0, 1.0, 0.5])).to(pos)
        return squash @ whole(pos, z) @ squash

    def both(pos, z):
        return torch.stack([whole(pos, z), broken(pos, z)], 1)

    found, orbits = spectrum(subject(both, kind, n=2), molecules(5))
    assert found.numbers["invariant"] == [True, False]
    assert found.findings[1].endswith("equivariant.")
    power = orbits.power[:, 0].sqrt()
    assert (power[:, 1:] < 1e-10 * power[:, :1]).all()
    share = shares(found)[1]
    assert share.sum() == pytest.approx(1)
    if kind == "vector":
        assert share[0] == pytest.approx(1)
        assert "constant vector" in found.findings[2]
    else:
        assert share[1] > 0.5
        assert share[[0, 2]].max() < 1e-10


def test_a_constant_and_a_single_molecule():
    def f(pos, z):
        return torch.stack([0 * pos[:, 0, 0], pos[:, 0, 2]], 1)

    found, _ = spectrum(subject(f, n=2), molecules(1), degree=5)
    assert found.numbers["invariant"] == [True, False]
    assert found.numbers["share"]["low"][1][0] is None
    assert shares(found)[1, 0] == pytest.approx(1)
    assert "fewer than 6 molecules" in found.findings[0]


def test_many_quantities_get_two_sentences():
    def f(pos, z):
        return torch.stack([(3 + i) * pos[:, 0, 2] + 9 - i for i in range(6)], 1)

    found, _ = spectrum(subject(f, n=6), molecules(), degree=5)
    assert [text.split()[0] for text in found.findings[1:]] == ["f", "a"]
