"""Distributions over separate elements are reached by the loss of the elements they drew."""

import torch

from molinv import groups
from molinv.distributions import Categorical
from molinv.training.masked import masked_l1


def test_scores_leave_the_loss_and_give_its_gradient():
    mu = Categorical(groups.Reflection(3), init=0.3)
    noise = mu.noise(4000, torch.Generator().manual_seed(0))
    moved = mu.transform(noise)[:, 0, 0] < 0
    outputs = torch.where(moved, 3.0, 1.0)[None, :, None]  # the reflection costs 2 more
    target = torch.zeros(4000, 1)
    scores = mu.weight(noise)[None]
    loss, count = masked_l1(outputs, target, scores)
    plain, _ = masked_l1(outputs, target)
    torch.testing.assert_close(loss.detach(), plain)
    assert int(count) == 4000
    probability = mu.elements_and_weights()[1][1]
    exact = torch.autograd.grad(2 * probability, list(mu.parameters()), retain_graph=True)
    drawn = torch.autograd.grad(loss, list(mu.parameters()))
    for a, b in zip(drawn, exact, strict=True):
        torch.testing.assert_close(a, b, rtol=0.1, atol=0)


def test_scores_leave_out_what_is_missing():
    target = torch.tensor([[1.0, torch.nan], [torch.nan, torch.nan]])
    outputs = torch.tensor([[[3.0, 9.0], [9.0, 9.0]]])
    scores = torch.ones(1, 2)
    loss, count = masked_l1(outputs, target, scores)
    assert (float(loss), int(count)) == (2.0, 1)
    empty, _ = masked_l1(outputs[:, 1:], target[1:], scores[:, 1:])
    assert float(empty) == 0.0
