"""Any network with a distribution on a group: sample, act, run, act back, average."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from . import quadrature
from .actions import Invariant, Points, as_action
from .actions.base import flatten, graph_of_row, rebuild
from .distributions import Distribution
from .errors import InputError, unknown

_REDUCE = ("mean", "prob", "log_prob")
_HALF = (torch.bfloat16, torch.float16)
FEW = 4  # finite distributions of up to this many elements are summed exactly by default

Nodes = Iterator[tuple[Float[Tensor, "b d d"], float]]


class Orbit(NamedTuple):
    """Statistics of the model's outputs over an orbit of the group.

    mean    mean output, in the form of the output (tensor, tuple or dict)
    std     standard deviation, in the same form. With reduce="log_prob", `mean` is the log of
            the mean probability, and `std` is the standard deviation of the probability divided
            by its mean: to first order the standard deviation of the log
    count   number of group elements
    weight  mean weight of each entry if the output action gives weights, else None. Where it is
            0, no element of the orbit saw the entry, and its mean is meaningless
    """

    mean: Any
    std: Any
    count: int
    weight: Any = None


class Term(NamedTuple):
    """A weighted mean loss, and the sum of its weights in one copy."""

    mean: Float[Tensor, ""]
    count: Float[Tensor, ""]


class Risk(NamedTuple):
    """The objective: minimise `loss` - lambda * `reward`; `loss` is the sum of the terms' means."""

    loss: Float[Tensor, ""]
    reward: Float[Tensor, ""]
    terms: list[Term]


class Augmented(nn.Module):
    """h(x) = E_g [ rho_out(g)^-1 f(rho_in(g) x) ] with g drawn from a learnable distribution.

    model         called as model(x, *extra, **named); only x is acted on
    distribution  on the group; its parameters train with the network's
    input, output the actions on x and on the model's output. For tuples or dicts, a sequence or
                  mapping of actions, one for each part
    copies        group elements per example. In training the output gains a leading axis of this
                  length, and the *loss* is averaged over it; in evaluation outputs are averaged
    reduce        how outputs are averaged: "mean", or for logits (b, classes, ...) "prob", the
                  mean probability, or "log_prob", its logarithm

    `risk` is the training loss for every distribution. In evaluation model(x) is the average over
    the learned distribution with a fixed seed, so that every call returns the same.
    Raises InputError for a distribution of another type, copies below 1 and unknown `reduce`.
    Source: Benton et al., NeurIPS 2020 (arXiv 2010.11882), equations 2 to 5.
    """

    def __init__(
        self,
        model: nn.Module,
        distribution: Distribution,
        input: Actions | None = None,
        output: Actions | None = None,
        copies: int = 1,
        reduce: str = "mean",
    ):
        super().__init__()
        if not isinstance(distribution, Distribution):
            raise InputError(
                f"Augmented: expected a distribution on a group, such as HaarBall(SO3()), got "
                f"{distribution}."
            )
        if not isinstance(copies, int) or copies < 1:
            raise InputError(f"Augmented: expected at least one copy, got {copies}.")
        if reduce not in _REDUCE:
            raise unknown("reduce", reduce, _REDUCE)
        self.model, self.distribution = model, distribution
        self.input = Points() if input is None else as_action(input)
        self.output = Invariant() if output is None else as_action(output)
        self.copies, self.reduce = copies, reduce

    def forward(
        self,
        x: Any,
        *extra: Any,
        generator: torch.Generator | None = None,
        noise: Float[Tensor, "c b m"] | None = None,
        **named: Any,
    ) -> Any:
        """(copies, b, ...) in training, the learned average (b, ...) in evaluation.

        If the output action gives weights (0 for pixels that left the picture), training returns
        (value, weight), both with the copies axis. In training, `noise` from the distribution's
        `noise` method can be passed instead of drawing it from `generator`, so that an example
        gets the same elements in any batch. Raises InputError for noise in evaluation, for noise
        of another number of copies or examples, and in training for a distribution that is not
        `plain`: a mean of losses lacks part of its gradient, so use `risk`.
        """
        if not self.training:
            if noise is not None:
                raise InputError("Augmented: noise is for training; in evaluation use orbit().")
            return self.orbit(x, *extra, generator=generator, **named).mean
        mu = self._exactly(self.distribution.at, x, *extra)
        if not mu.plain:
            raise InputError(
                f"Augmented: a mean of losses over drawn elements has no gradient for "
                f"{type(mu).__name__} on {mu.group}: train with model.risk(loss, x, ...)."
            )
        draws = self._noise(mu, self.input.size(x), generator, noise, self.copies)
        runs = [self.run(self._exactly(mu.transform, u), x, *extra, **named) for u in draws]
        values, weights = zip(*runs, strict=True)
        value = _stacked(values)
        return value if weights[0] is None else (value, _stacked(weights))

    def risk(
        self,
        loss: Callable[[Any], Any],
        x: Any,
        *extra: Any,
        generator: torch.Generator | None = None,
        noise: Float[Tensor, "c b m"] | None = None,
        exact: int = FEW,
        **named: Any,
    ) -> Risk:
        """The mean loss over copies, examples and entries, and the distribution's reward.

        Minimise risk.loss - lam * risk.reward. `loss(output)` gets the output of one copy, turned
        back, and returns unreduced losses (b, ...); or (losses, weights), with weight 0 for
        entries to ignore; or a list of such terms, whose means are added.

        This is correct for every distribution. Finite parts of at most `exact` elements are
        summed exactly; other elements are drawn and multiplied by their score weight. A
        conditional distribution reads the inputs once. Raises InputError for losses that are
        reduced already, and for `noise` of another number of copies or examples.
        """
        if not callable(loss):
            raise InputError(f"Augmented: expected risk(loss, x, ...), got {_what(loss)} first.")
        size = self.input.size(x)
        mu = self._exactly(self.distribution.at, x, *extra)
        support = mu.support()
        draws = 1 if support is not None and len(support[0]) <= exact else self.copies
        scores: list[Tensor] = []
        sums: list[list[Term]] = []
        for u in self._noise(mu, size, generator, noise, draws):
            elements, weight = self._exactly(mu.weighted, u, exact)
            scores.append(weight.sum(0))  # 1, with the gradient of log p of the drawn elements
            shares, parts = weight / scores[-1] * scores[-1].detach(), []
            for g, w in zip(elements, shares, strict=True):
                value, inside = self.run(g, x, *extra, **named)
                found = loss(value)
                found = found if isinstance(found, list) and found else [found]
                seen = _weights(inside, len(found))
                terms = [_term(*pair, w, size, x) for pair in zip(found, seen, strict=True)]
                parts = [_sum(*both) for both in zip(parts, terms, strict=True)] if parts else terms
            sums.append(parts)
            if len(sums) * len(elements) >= self.copies:
                break
        score = torch.stack(scores)
        made = []
        for draws_of in zip(*sums, strict=True):  # all draws of one term
            losses, weights = map(torch.stack, zip(*draws_of, strict=True))
            made.append(_mean(losses, weights, score))
        total = torch.stack([term.mean for term in made]).sum()
        return Risk(total, self._exactly(mu.regularizer), made)

    def run(self, g: Float[Tensor, "b d d"], x: Any, *extra: Any, **named: Any) -> tuple[Any, Any]:
        """rho_out(g)^-1 f(rho_in(g) x), and the weights of its entries, or None.

        g (b, d, d) has one element for each example. Under autocast only the model runs in
        reduced precision: rotations must stay orthogonal.
        """
        group = self.distribution.group
        y = self.model(self._exactly(self.input.act, group, g, x), *extra, **named)
        y = rebuild(y, [part.float() if part.dtype in _HALF else part for part in flatten(y)])
        return self._exactly(self.output.pull_back, group, g, y, x)

    def orbit(
        self,
        x: Any,
        *extra: Any,
        orbit: str = "learned",
        copies: int | None = None,
        degree: int | None = None,
        generator: torch.Generator | None = None,
        gradients: bool = False,
        recompute: bool = False,
        **named: Any,
    ) -> Orbit:
        """Mean and standard deviation of the outputs over an orbit, one group element at a time.

        orbit      "identity" runs the model once.
                   "learned" draws `copies` elements (default: 8, or the model's own `copies` if
                   that is larger). A finite distribution is summed exactly if it has at most
                   `copies` elements, or if `copies` is not given.
                   "haar" averages over the whole compact group: exactly up to `degree` (default
                   4) by quadrature, or over `copies` drawn elements.
        gradients  whether the mean can be differentiated; memory then grows with the number of
                   elements
        recompute  with `gradients`, run the network again in the backward pass, so that memory
                   does not grow

        All examples share the drawn elements, so that the result for one example does not depend
        on the others in its batch. Standard deviations are those of the population for exact
        sums, and from the unbiased variance for drawn elements. Raises InputError for copies
        below 1, and for "haar" on a group that is not compact.
        """
        with torch.set_grad_enabled(gradients and torch.is_grad_enabled()):
            nodes, draws = self._plan(x, extra, orbit, copies, degree, generator)
            again = gradients and recompute
            run = partial(checkpoint, self.run, use_reentrant=False) if again else self.run
            sums: list[_Moments] = []
            count = 0
            for g, weight in nodes:
                value, inside = run(g, x, *extra, **named)
                leaves = [y if self.reduce == "mean" else y.softmax(1) for y in flatten(value)]
                parts = [weight if w is None else weight * w for w in _weights(inside, len(leaves))]
                sums = sums or [_Moments(y) for y in leaves]
                for moments, y, part in zip(sums, leaves, parts, strict=True):
                    moments.add(y, part)
                count += 1
        if count == 0:
            raise InputError(f"Augmented: expected at least one copy, got {copies}.")
        bessel = draws / (draws - 1) if draws > 1 else 1.0
        means, stds, totals = zip(*(m.result(bessel, self.reduce) for m in sums), strict=True)
        seen = None if inside is None else rebuild(value, totals)
        return Orbit(rebuild(value, means), rebuild(value, stds), count, seen)

    def elements(
        self,
        x: Any,
        *extra: Any,
        orbit: str = "learned",
        copies: int | None = None,
        degree: int | None = None,
        generator: torch.Generator | None = None,
    ) -> Nodes:
        """The elements (b, d, d) and weights that `orbit` averages over, one at a time."""
        return self._plan(x, extra, orbit, copies, degree, generator)[0]

    def _plan(
        self,
        x: Any,
        extra: tuple,
        orbit: str,
        copies: int | None,
        degree: int | None,
        generator: torch.Generator | None,
    ) -> tuple[Nodes, int]:
        """The elements with their weights, and the number of random draws (0 for exact sums)."""
        group, size = self.distribution.group, self.input.size(x)
        if generator is None:
            generator = torch.Generator(group.generators.device).manual_seed(0)

        def same(nodes: Tensor, weights: Tensor) -> Nodes:
            for node, weight in zip(nodes.to(group.generators), weights.tolist(), strict=True):
                yield node.expand(size, -1, -1), weight

        match orbit:
            case "identity":
                return iter([(group.identity(size), 1.0)]), 0
            case "haar" if copies is not None:
                drawn = (group.haar(1, generator) for _ in range(copies))
                return ((g.expand(size, -1, -1), 1 / copies) for g in drawn), copies
            case "haar":
                return same(*quadrature.rule(group, 4 if degree is None else degree)), 0
            case "learned":
                mu = self._exactly(self.distribution.at, x, *extra)
                support = mu.support()
                if support is not None and (copies is None or len(support[0]) <= copies):
                    return same(*support), 0
                n = max(8, self.copies) if copies is None else copies
                return self._drawn(mu, size, n, generator)
            case _:
                raise unknown("orbit", orbit, ("identity", "learned", "haar"))

    def _drawn(
        self, mu: Distribution, size: int, n: int, generator: torch.Generator
    ) -> tuple[Nodes, int]:
        """n elements; all examples share the noise, so that they don't depend on each other."""
        rows = 1 if mu is self.distribution else size  # conditional: extents for each input

        def draw() -> list[tuple[Tensor, float]]:
            noise = mu.noise(1, generator).expand(rows, -1)
            elements, weight = self._exactly(mu.weighted, noise, n)
            return list(zip(elements.expand(-1, size, -1, -1), weight[:, 0].tolist(), strict=True))

        if n < 1:
            return iter([]), 0
        first = draw()
        draws = max(1, n // len(first))
        every = chain(first, chain.from_iterable(draw() for _ in range(draws - 1)))
        return ((g, w / draws) for g, w in every), draws

    def _noise(
        self,
        mu: Distribution,
        size: int,
        generator: torch.Generator | None,
        noise: Float[Tensor, "c b m"] | None,
        draws: int,
    ) -> Iterator[Float[Tensor, "b m"]]:
        """The noise that was given, or fresh noise, for `draws` copies."""
        if noise is None:
            return (mu.noise(size, generator) for _ in range(draws))
        if noise.shape[:-1] == (self.copies, size):
            return iter(noise[:draws])
        raise InputError(
            f"Augmented: expected noise ({self.copies}, {size}, m) for {self.copies} copies "
            f"of {size} examples, got {tuple(noise.shape)}."
        )

    def _exactly(self, function: Callable[..., Any], *args: Any) -> Any:
        """function(*args), with autocast disabled."""
        with torch.autocast(self.distribution.group.generators.device.type, enabled=False):
            return function(*args)


class _Moments:
    """A running weighted mean and sum of squares about it (West 1979)."""

    def __init__(self, like: Tensor):
        self.total = like.new_zeros(())
        self.mean, self.square = torch.zeros_like(like), torch.zeros_like(like)

    def add(self, value: Tensor, weight: Tensor | float) -> None:
        """Add a value and its weight, which may differ from entry to entry."""
        before = self.total
        self.total = before + weight
        step, share = value - self.mean, weight / torch.where(self.total == 0, 1.0, self.total)
        self.mean = self.mean + step * share
        self.square = self.square + (step.square() * share * before).detach()  # 0 at first

    def result(self, bessel: float, reduce: str) -> tuple[Tensor, Tensor, Tensor]:
        """Mean, standard deviation and total weight."""
        variance = bessel * self.square / torch.where(self.total == 0, 1.0, self.total)
        std = variance.clamp_min(0).sqrt()
        if reduce == "log_prob":
            return self.mean.log(), std / self.mean.detach(), self.total
        return self.mean, std, self.total


def _what(value: Any) -> str:
    """A value's type, with the shape of a tensor."""
    shape = f" {tuple(value.shape)}" if isinstance(value, Tensor) else ""
    return f"{type(value).__name__}{shape}"


def _fits(weights: Tensor, losses: Tensor) -> bool:
    """Whether weights can be broadcast to the shape of the losses."""
    try:
        return torch.broadcast_shapes(weights.shape, losses.shape) == losses.shape
    except RuntimeError:
        return False


def _stacked(copies: Sequence[Any]) -> Any:
    """The copies' outputs, stacked on a new first axis, part by part."""
    parts = zip(*map(flatten, copies), strict=True)
    return rebuild(copies[0], [None if p[0] is None else torch.stack(p) for p in parts])


def _weights(inside: Any, parts: int) -> list[Tensor | None]:
    """The weights of each part of an output, or of each term of a loss; None for no weights."""
    if inside is None:
        return [None] * parts
    found = flatten(inside)
    if len(found) != parts:
        raise InputError(
            f"Augmented: the output has weights for {len(found)} parts, but the loss returned "
            f"{parts} terms: return a list with a term for each part."
        )
    return found


def _term(found: Any, inside: Tensor | None, weight: Tensor, size: int, x: Any) -> Term:
    """sum(weight * loss) and sum(weight) over the entries of each example, both (b,)."""
    losses, own = found if isinstance(found, tuple) and len(found) == 2 else (found, None)
    if not isinstance(losses, Tensor) or losses.ndim == 0:
        raise InputError(
            "Augmented.risk: expected the losses (b, ...) of every entry from the loss, or "
            f"(losses, weights), or a list of such terms, got {_what(found)}: leave out its "
            'reduction, as in l1_loss(output, y, reduction="none").'
        )
    if own is not None and (own.requires_grad or not _fits(own, losses)):
        raise InputError(
            f"Augmented.risk: expected weights without a gradient that fit losses "
            f"{tuple(losses.shape)}, got {_what(own)}; to add several losses, return a list."
        )
    node = None if len(losses) == size else graph_of_row(x, losses)
    if len(losses) != size and node is None:
        raise InputError(
            f"Augmented.risk: expected losses ({size}, ...) for {size} examples, got "
            f"{tuple(losses.shape)}."
        )
    weight = weight if node is None else weight[node]
    weight = weight.to(losses.dtype).view(-1, *[1] * (losses.ndim - 1))
    if inside is not None:
        weight = weight * (inside.squeeze(1) if inside.ndim > losses.ndim else inside)
    weight = (weight if own is None else weight * own).expand(losses.shape)
    axes = tuple(range(1, losses.ndim))
    rows = [row.sum(axes) if axes else row for row in (weight * losses, weight)]
    if node is not None:
        rows = [row.new_zeros(size).index_add(0, node, row) for row in rows]
    return Term(*rows)


def _mean(losses: Tensor, weights: Tensor, score: Tensor) -> Term:
    """The mean of losses (c, b) over weights (c, b), with the gradient of the drawn elements.

    That gradient is the score times (loss - baseline). The baseline is the mean loss of all other
    examples: it does not depend on the draw, so the gradient is unbiased (Kool et al. 2019).
    Without other examples it is 0.
    """
    total, count = losses.sum(), weights.sum()
    safe = torch.where(count == 0, 1.0, count)
    mean = total / safe
    if score.requires_grad:
        rest = (count - weights).detach()
        baseline = (total - losses).detach() / torch.where(rest == 0, 1.0, rest)
        away = losses.detach() - weights.detach() * torch.where(rest == 0, 0.0, baseline)
        mean = mean + ((score - score.detach()) * away).sum() / safe.detach()
    return Term(mean, count.detach() / len(losses))


def _sum(a: Term, b: Term) -> Term:
    return Term(a.mean + b.mean, a.count + b.count)
