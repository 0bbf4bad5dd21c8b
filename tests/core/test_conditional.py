"""Half-widths that depend on the input, and the invariance of their encoder."""

import math

import pytest
import torch

from molinv import Augmented, actions, groups, testing
from molinv import distributions as D
from molinv.errors import InputError


def seed(n=0):
    return torch.Generator().manual_seed(n)


def molecules(n=5, dtype=torch.float64):
    """Random positions and elements, padded to seven atoms."""
    pos = 2 * torch.randn(n, 7, 3, generator=seed(), dtype=torch.float64)
    z = torch.randint(1, 10, (n, 7), generator=seed(1))
    z[torch.arange(7) >= 3 + torch.arange(n)[:, None]] = 0
    return (pos * (z > 0)[..., None]).to(dtype), z


def trained(encoder, n=2):
    """The encoder with changed weights, because a new one returns zeros."""
    encoder = encoder.double()
    with torch.no_grad():
        for p in encoder.parameters():
            p.add_(torch.randn(p.shape, generator=seed(n)).double())
    return encoder


def test_the_fingerprint_is_invariant():
    pos, z = molecules()
    encoder = trained(D.Fingerprint(3))
    here = encoder(pos, z)
    assert here.std(0).min() > 1e-2  # molecules differ
    for group in (groups.O3(), groups.SE3()):
        points, plain = actions.Points(), actions.Invariant()
        moved = testing.sample(group.double(), 5, seed(3)).double()
        there = encoder(points.act(group, moved, pos) * (z > 0)[..., None], z)
        assert torch.allclose(here, there, atol=1e-10)
        clouds = torch.randn(4, 6, 3, generator=seed(4), dtype=torch.float64)
        testing.check_equivariant(encoder, group, points, plain, clouds, tolerance=1e-9)
    order = torch.randperm(7, generator=seed(5))
    assert torch.allclose(here, encoder(pos[:, order], z[:, order]), atol=1e-10)
    wider = torch.nn.functional.pad(pos, (0, 0, 0, 4)), torch.nn.functional.pad(z, (0, 4))
    assert torch.allclose(here, encoder(*wider), atol=1e-10)
    assert not torch.allclose(here, encoder(pos, z.roll(1, 0) * (z > 0) + (z > 0)), atol=1e-3)
    alone = torch.cat([encoder(pos[i : i + 1], z[i : i + 1]) for i in range(5)])
    assert torch.allclose(here, alone, atol=1e-10)


def test_gradients_are_finite_where_atoms_coincide_or_are_alone():
    for pos in (torch.zeros(2, 3, 3), torch.randn(2, 1, 3)):
        pos.requires_grad_()
        encoder = trained(D.Fingerprint(3)).float()
        encoder(pos).sum().backward()
        assert pos.grad is not None
        assert pos.grad.isfinite().all()
        assert all(p.grad is None or p.grad.isfinite().all() for p in encoder.parameters())


def test_it_starts_near_the_identity_for_every_input():
    pos, z = molecules(dtype=torch.float32)
    mu = D.Conditional(groups.SO3(), init=[0.05, 0.1, 0.2])
    bound = mu.at(pos, z)
    assert torch.allclose(bound.widths, torch.tensor([0.05, 0.1, 0.2]).expand(5, 3))
    values = [e.value for e in mu.extent().values()]
    assert torch.allclose(torch.stack(values), torch.tensor([0.05, 0.1, 0.2]))
    bound.regularizer().backward()
    assert sum(float(p.grad.abs().sum()) for p in mu.parameters() if p.grad is not None) > 0


def test_samples_stay_inside_each_inputs_own_box():
    pos, z = molecules()
    mu = D.Conditional(groups.SO3().double(), trained(D.Fingerprint(3)), init=1.0).double()
    bound = mu.at(pos, z)
    noise = mu.noise(5, seed())
    assert torch.equal(bound.transform(noise), bound.rsample(5, seed()))
    for u in (torch.ones(5, 3), -torch.ones(5, 3)):
        assert torch.allclose(bound.transform(u.double()), mu.group.exp(u.double() * bound.widths))
    for i, box in enumerate(bound.boxes()):
        each = noise[i : i + 1].double()
        one = box.transform(each)  # of half-widths in single precision
        assert torch.allclose(bound.transform(noise)[i : i + 1], one, atol=1e-6)
    assert (bound.widths < math.pi).all()
    assert bound.widths.std(0).min() > 1e-3


def test_the_reward_is_the_mean_over_the_batch():
    pos, z = molecules()
    for reward in ("entropy", "width"):
        mu = D.Conditional(
            groups.SO3(), trained(D.Fingerprint(3)), init=1.0, reward=reward
        ).double()
        bound = mu.at(pos, z)
        alone = [mu.at(pos[i : i + 1], z[i : i + 1]).regularizer() for i in range(5)]
        assert float(bound.regularizer().detach()) == pytest.approx(
            float(torch.stack(alone).mean().detach())
        )
        boxes = [
            D.UniformBox(groups.SO3(), w.tolist(), reward=reward).regularizer()
            for w in bound.widths.detach()
        ]
        mean = float(torch.stack(boxes).mean().detach())
        assert float(bound.regularizer().detach()) == pytest.approx(mean, rel=1e-5)
    coverages = [b.coverage() for b in bound.boxes()[:2]]
    two = mu.at(pos[:2], z[:2])
    assert two.coverage() == pytest.approx(sum(coverages) / 2)
    assert float(two.entropy().detach()) < 0


def test_the_running_mean_over_training_batches_is_saved():
    pos, z = molecules(dtype=torch.float32)
    mu = D.Conditional(groups.SO3(), Constant(2.0))
    mu.eval().at(pos, z)
    assert float(mu.extent()["wx"].value) == pytest.approx(0.05)
    mu.train()
    for _ in range(200):
        bound = mu.at(pos, z)
    known = float(bound.widths.detach()[0, 0])
    assert known > 0.2
    assert float(mu.extent()["wx"].value) == pytest.approx(known, rel=1e-3)
    again = D.Conditional(groups.SO3(), Constant(2.0))
    again.load_state_dict(mu.state_dict())
    assert float(again.extent()["wx"].value) == pytest.approx(known, rel=1e-3)
    assert 0 < mu.coverage() < 1


class Constant(torch.nn.Module):
    def __init__(self, value, k=3):
        super().__init__()
        self.value, self.k = torch.nn.Parameter(torch.tensor(value)), k

    def forward(self, x, *extra):
        return self.value.expand(len(x), self.k)


def test_wrong_use_raises_an_input_error():
    mu = D.Conditional(groups.SO3())
    for ask in (lambda: mu.rsample(3), mu.regularizer, lambda: mu.widths):
        with pytest.raises(InputError, match=r"call at\(x\) first"):
            ask()
    pos, z = molecules(dtype=torch.float32)
    with pytest.raises(InputError, match="the batch's 5 inputs, got 3 rows"):
        mu.at(pos, z).transform(mu.noise(3))
    with pytest.raises(InputError, match=r"expected \(b, 3\) numbers.*got \(5, 2\)"):
        D.Conditional(groups.SO3(), Constant(0.0, 2)).at(pos)
    with pytest.raises(InputError, match="no generators"):
        D.Conditional(groups.Cyclic(4))
    frozen = D.Conditional(groups.SO3(), learn=False)
    assert not any(p.requires_grad for p in frozen.parameters())
    D.Conditional(groups.T(3)).at(pos, z)  # not compact
    assert D.Conditional(groups.T(3)).at(pos, z).coverage() is None


def test_each_molecule_is_averaged_over_its_own_extents():
    """The batch shares one draw, scaled by each molecule's half-widths."""
    pos, z = molecules()
    mu = D.Conditional(groups.SO3(), trained(D.Fingerprint(3))).double()
    model = Augmented(Place(), mu).eval()
    found = model.orbit(pos, z, copies=4, generator=seed(3))
    draws = seed(3)
    outputs = []
    for _ in range(4):
        noise = mu.at(pos, z).noise(1, draws).double()
        g = mu.group.exp(noise * mu.at(pos, z).widths)
        outputs.append((pos @ g.mT)[:, 0])
    assert torch.allclose(found.mean, torch.stack(outputs).mean(0))
    alone = model.orbit(pos[2:3], z[2:3], copies=4, generator=seed(3)).mean
    assert torch.allclose(alone, found.mean[2:3])


class Place(torch.nn.Module):
    """The first atom's position, which rotates with the molecule."""

    def forward(self, pos, z):
        return pos[:, 0]
