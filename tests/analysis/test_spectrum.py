"""Powers by degree of functions whose spectrum is known."""

import pytest
import torch
from known import harmonic, made, molecules, subject

from molinv import models, quadrature
from molinv.analysis.orbits.spectrum import section, suggested_degree
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
    assert max(map(abs, found.numbers["residual"]["value"])) < bound
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
    assert found.numbers["parseval"][0] == pytest.approx(found.numbers["variance"][0])


def test_shares_are_of_the_mean_over_molecules_with_intervals():
    def f(pos, z):  # degree 1 in small molecules, 2 in large ones, both of variance 1
        direction = pos[:, 0] / pos[:, 0].norm(dim=1, keepdim=True)
        one, two = 3**0.5 * direction[:, 2], 5**0.5 * (1.5 * direction[:, 2] ** 2 - 0.5)
        return torch.where((z > 0).sum(1) < 4, one, two)[:, None]

    found, _ = spectrum(subject(f), molecules(40), degree=5)
    share = {k: v[0][0] for k, v in found.numbers["share"].items()}
    assert share["value"] == pytest.approx(0.25)
    # a quarter of 40: a binomial's interval
    assert share["low"] == pytest.approx(0.25 - 0.134, abs=0.03)
    assert share["high"] == pytest.approx(0.25 + 0.134, abs=0.03)


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


def test_power_above_what_is_known_is_warned_of_and_the_degree_named_resolves_it():
    def f(pos, z):
        return torch.cat([harmonic(1)(pos, z) + harmonic(l)(pos, z) for l in (3, 5)], 1)

    found, _ = spectrum(subject(f, n=2), molecules(4))
    (warning,) = warned(found)
    degree = found.numbers["suggested_degree"]
    assert f"--degree {degree} " in warning
    assert "(b)" in warning
    assert "l = 4" in warning
    assert degree >= 10
    found, _ = spectrum(subject(f, n=2), molecules(4), degree=degree)
    assert not warned(found)
    assert found.numbers["suggested_degree"] is None
    assert float(shares(found)[1, 4]) == pytest.approx((1 / 11) / (1 / 3 + 1 / 11))


def test_less_than_a_twentieth_above_is_not_warned_of():
    def f(pos, z):
        return harmonic(1)(pos, z) + 0.35 * harmonic(5)(pos, z)

    found, _ = spectrum(subject(f), molecules(4))
    assert 0.02 < found.numbers["residual"]["value"][0] < 0.05
    assert not warned(found)


def test_the_degree_asked_for_follows_how_the_power_falls():
    # left after l = 1 to 4: a half each time, 1/16; one more degree is below a twentieth
    assert suggested_degree(torch.tensor([1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 16])) == 11
    # nothing known falls: twice as many
    assert suggested_degree(torch.tensor([0.0, 0.0, 0.0, 0.0, 1.0])) == 17
    assert suggested_degree(torch.tensor([0.0] * 60 + [1.0])) == 131


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
    assert "one molecule" in found.findings[0]


def test_many_quantities_get_two_sentences():
    def f(pos, z):
        return torch.stack([(3 + i) * pos[:, 0, 2] + 9 - i for i in range(6)], 1)

    found, _ = spectrum(subject(f, n=6), molecules(), degree=5)
    assert [text.split()[0] for text in found.findings[1:]] == ["f", "a"]
