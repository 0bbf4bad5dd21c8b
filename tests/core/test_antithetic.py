"""Antithetic pairs: inverse elements of equal density, which reduce the gradient's variance."""

import pytest
import torch

from molinv import distributions as D
from molinv import groups

SO3 = groups.SO3()
FAMILIES = [
    lambda: D.UniformBox(SO3, init=0.4),
    lambda: D.UniformBox(groups.Affine3(), init=0.2),
    lambda: D.Gaussian(groups.SE3(), init=0.4),
    lambda: D.HaarBall(SO3, init=2.0),
    lambda: D.HaarBall(groups.SO2(), init=2.0),
]


@pytest.mark.parametrize("made", FAMILIES)
def test_the_second_of_a_pair_is_the_inverse_of_the_first(made):
    mu = made()
    noise = mu.noise(200, torch.Generator().manual_seed(0))
    other = mu.mirrored(noise)
    product = mu.transform(noise) @ mu.transform(other)
    assert torch.allclose(product, mu.group.identity(200), atol=1e-5)
    assert not torch.allclose(noise, other)
    assert torch.equal(mu.mirrored(other), noise)


def test_conditional_distributions_have_pairs_too():
    mu = D.Conditional(groups.About(), init=0.4).at(torch.randn(50, 4, 3))
    noise = mu.noise(50)
    product = mu.transform(noise) @ mu.transform(mu.mirrored(noise))
    assert torch.allclose(product, mu.group.identity(50), atol=1e-6)


@pytest.mark.parametrize(
    "mu", [D.Categorical(groups.Cyclic(3)), D.Composed(groups.O3()), D.Haar(SO3)]
)
def test_there_are_no_pairs_unless_inverses_have_equal_density(mu):
    assert mu.mirrored(mu.noise(5)) is None


@pytest.mark.parametrize("kind", [D.UniformBox, D.Gaussian, D.HaarBall])
def test_pairs_reduce_the_variance_of_the_gradient_of_a_narrow_width(kind):
    """The slope of f only adds noise; its curvature is what the gradient measures."""
    mu = kind(SO3, init=0.1)
    (extents,) = (p for name, p in mu.named_parameters() if name.endswith("raw"))
    arrow, slope = torch.tensor([1.0, -0.5, 2.0]), torch.tensor([2.0, 1.0, 1.0])
    generator = torch.Generator().manual_seed(0)

    def gradient(noise):
        moved = mu.transform(noise) @ arrow
        value = moved @ slope + 0.1 * (moved - arrow).square().sum(-1)
        return torch.autograd.grad(value.mean(), extents)[0]

    alone, pairs = [], []
    for _ in range(300):
        noise = mu.noise(16, generator)
        alone.append(gradient(noise))
        pairs.append(gradient(torch.cat([noise[:8], mu.mirrored(noise[:8])])))
    alone, pairs = torch.stack(alone), torch.stack(pairs)
    assert (pairs.std(0) < 0.3 * alone.std(0)).all()
    error = (alone.var(0) / 300 + pairs.var(0) / 300).sqrt()
    assert ((alone.mean(0) - pairs.mean(0)).abs() < 4 * error).all()
