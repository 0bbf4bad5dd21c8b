"""Invariance that is guaranteed: the average over a whole quadrature, and what it leaves."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .actions import Action
from .actions.base import flatten, rebuild
from .augment import Augmented
from .distributions import Haar
from .errors import InputError
from .groups import SO3, Group


class Certificate(NamedTuple):
    """What of a network's dependence on orientation its average may still have.

    before  the network's own standard deviation over Haar, as the output
    bound   an upper bound of the average's, from the power in degrees that the rule does not
            average away
    rest    the part of `before` (root of a variance) that no degree up to `reach` explains: where
            it is not far below `bound`, or not 0 by rounding, ask for a larger reach
    """

    before: Tensor
    bound: Tensor
    rest: Tensor


class Guaranteed(nn.Module):
    """sum_i w_i rho_out(g_i)^-1 f(rho_in(g_i) x) over a rule that is exact up to a degree.

    Of f's dependence on the orientation every degree l from 1 to `degree` is gone, whatever f
    is; the output turns back by the output action's g^-1 first. It is differentiable, costs as
    many calls as the rule has elements (4 for degree 1, 12 for 2, 24 for 3, 60 for 4 and 5 on
    SO3), and serves a network that is already trained as well as one in training.

    model   called as model(x, *extra), as in `Augmented`
    group   compact, with a rule: SO2, SO3, O3, a finite one, or one of your own that defines it

    Raises InputError for a group that is not compact, or has no rule.
    """

    nodes: Tensor
    weights: Tensor

    def __init__(
        self,
        model: nn.Module,
        group: Group | None = None,
        input: Action | None = None,
        output: Action | None = None,
        degree: int = 3,
    ):
        super().__init__()
        group = SO3() if group is None else group
        self.run = Augmented(model, Haar(group), input, output)
        self.degree = degree
        nodes, weights = group.rule(degree)
        self.register_buffer("nodes", nodes, persistent=False)
        self.register_buffer("weights", weights, persistent=False)

    def forward(self, x: Any, *extra: Any, **named: Any) -> Any:
        """The average (b, ...), of every part of the output.

        Raises InputError where the output weighs its entries.
        """
        total: list[Any] = []
        for w, y in zip(self.weights, self._orbit(self.nodes, x, extra, named), strict=True):
            parts = [w.to(part) * part for part in flatten(y)]
            total = [a + b for a, b in zip(total, parts, strict=True)] if total else parts
        return rebuild(y, total)

    @torch.no_grad()
    def certificate(
        self, x: Any, *extra: Any, reach: int | None = None, **named: Any
    ) -> Certificate:
        """How far the average of each entry of the output can still depend on the orientation.

        A rule takes every function to a mean of its turned copies, and turning preserves a
        function's norm: what a degree above the rule's leaves is at most the square root of its
        power. That power is known up to `reach` (by default two degrees beyond the rule's) from a
        rule of twice that degree. Raises InputError for a group without known functions of each
        degree (SO2 and SO3 have them), and for a reach that is not above the degree.
        """
        group = self.run.distribution.group
        reach = self.degree + 2 if reach is None else reach
        if reach <= self.degree:
            raise InputError(
                f"Guaranteed: expected a reach above the degree {self.degree}, got {reach}."
            )
        nodes, weights = group.rule(2 * reach)
        columns, degree_of = group.basis(nodes, reach)
        base = None
        for k, y in enumerate(self._orbit(nodes, x, extra, named)):
            y = y.double()
            if base is None:  # sums of f - base spend no digits on what all orientations share
                base, square = y, torch.zeros_like(y)
                found = y.new_zeros(len(degree_of), *y.shape)
            away = y - base
            square += weights[k].to(y) * away.square()
            found += (weights[k] * columns[k]).to(y).view(-1, *[1] * y.ndim) * away
        power = found.new_zeros(reach + 1, *found.shape[1:])
        power.index_add_(0, degree_of.to(found.device), found.square())  # of f - base
        variance = (square - power[0]).clamp_min(0)
        rest = (variance - power[1:].sum(0)).clamp_min(0)
        left = power[self.degree + 1 :].sum(0) + rest
        return Certificate(variance.sqrt(), left.sqrt(), rest.sqrt())

    def _orbit(self, nodes: Float[Tensor, "n d d"], x: Any, extra: tuple, named: dict):
        size = self.run.input.size(x)
        for g in nodes.to(self.run.distribution.group.generators):
            value, weight = self.run.run(g.expand(size, *g.shape), x, *extra, **named)
            if weight is not None:
                raise InputError("Guaranteed: this output action weighs its entries; use orbit().")
            yield value
