"""Distributions over finitely many elements get a gradient from the losses of drawn elements."""

import torch

from molinv import Augmented, actions, groups
from molinv.distributions import Categorical
from molinv.tasks.numbers import masked


class First(torch.nn.Module):
    """Returns the first coordinate of the first point."""

    def forward(self, x):
        return x[:, 0, :1]


def test_scores_leave_the_loss_and_give_its_gradient():
    mu = Categorical(groups.Reflection(3), init=0.3)
    model = Augmented(First(), mu, output=actions.Invariant())
    x, target = torch.ones(4000, 1, 3), torch.full((4000, 1), 2.0)

    def errors(outputs):
        return [masked(outputs, target)]

    generator = torch.Generator().manual_seed(0)
    drawn = model.risk(errors, x, generator=generator, exact=1)
    (term,) = drawn.terms
    assert int(term.count) == 4000
    probability = mu.support()[1][1]
    exact = torch.autograd.grad(1 + 2 * probability, list(mu.parameters()), allow_unused=True)
    summed = model.risk(errors, x)
    for risk, rtol in ((drawn, 0.1), (summed, 1e-5)):
        torch.testing.assert_close(risk.loss, 1 + 2 * probability, rtol=rtol, atol=0)
        found = torch.autograd.grad(risk.loss, list(mu.parameters()), retain_graph=True)
        torch.testing.assert_close(found[0], exact[0], rtol=rtol, atol=0)


def test_scores_leave_out_missing_values():
    target = torch.tensor([[1.0, torch.nan], [torch.nan, torch.nan]])
    outputs = torch.tensor([[3.0, 9.0], [9.0, 9.0]])
    mu = Categorical(groups.Reflection(3))
    model = Augmented(torch.nn.Identity(), mu, actions.Invariant(), actions.Invariant())
    for exact in (1, 4):
        risk = model.risk(lambda y: [masked(y, target)], outputs, exact=exact)
        assert (float(risk.loss.detach()), int(risk.terms[0].count)) == (2.0, 1)
        empty = model.risk(lambda y: [masked(y, target[1:])], outputs[1:], exact=exact)
        assert float(empty.loss.detach()) == 0.0
